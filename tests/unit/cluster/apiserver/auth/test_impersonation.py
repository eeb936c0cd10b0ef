from __future__ import annotations

from typing import Any

import pytest
from multidict import CIMultiDict

from lateen.cluster.apiserver.auth.impersonation import impersonate
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.request import User
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.status import StatusError

ADMIN = User("admin", groups=("system:masters",))
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture
def authorizer(store: Store) -> Authorizer:
    return Authorizer(store)


async def test_without_headers_nothing_changes(authorizer: Authorizer) -> None:
    assert impersonate(ADMIN, CIMultiDict(), authorizer) is ADMIN


async def test_a_user_with_groups_and_extra(authorizer: Authorizer) -> None:
    headers = CIMultiDict(
        [
            ("Impersonate-User", "jane"),
            ("Impersonate-Group", "dev"),
            ("Impersonate-Group", "ops"),
            ("Impersonate-Uid", "42"),
            ("Impersonate-Extra-Scopes", "view"),
            ("Impersonate-Extra-acme.com%2Fproject", "x"),
        ]
    )
    user = impersonate(ADMIN, headers, authorizer)
    assert user.name == "jane"
    assert user.uid == "42"
    assert user.groups == ("dev", "ops", "system:authenticated")
    assert user.extra == {"scopes": ("view",), "acme.com/project": ("x",)}


async def test_a_service_account_gets_its_groups(authorizer: Authorizer) -> None:
    user = impersonate(ADMIN, CIMultiDict({"Impersonate-User": "system:serviceaccount:ns:app"}), authorizer)
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated")


async def test_anonymous_stays_unauthenticated(authorizer: Authorizer) -> None:
    user = impersonate(ADMIN, CIMultiDict({"Impersonate-User": "system:anonymous"}), authorizer)
    assert user.groups == ("system:unauthenticated",)


async def test_each_part_needs_its_right(authorizer: Authorizer, create: Any) -> None:
    joe = User("joe")
    rules = [{"verbs": ["impersonate"], "apiGroups": [""], "resources": ["users"], "resourceNames": ["jane"]}]
    await create(RBAC, "clusterroles", "", "i", rules=rules)
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "i"}
    subjects = [{"kind": "User", "name": "joe"}]
    await create(RBAC, "clusterrolebindings", "", "i", roleRef=reference, subjects=subjects)
    assert impersonate(joe, CIMultiDict({"Impersonate-User": "jane"}), authorizer).name == "jane"
    for headers in (
        {"Impersonate-User": "root"},
        {"Impersonate-User": "jane", "Impersonate-Group": "system:masters"},
        {"Impersonate-User": "jane", "Impersonate-Uid": "1"},
        {"Impersonate-User": "jane", "Impersonate-Extra-a": "b"},
        {"Impersonate-User": "system:serviceaccount:ns:app"},
    ):
        with pytest.raises(StatusError) as refused:
            impersonate(joe, CIMultiDict(headers), authorizer)
        assert refused.value.code == 403


async def test_a_group_without_a_user(authorizer: Authorizer) -> None:
    with pytest.raises(StatusError) as refused:
        impersonate(ADMIN, CIMultiDict({"Impersonate-Group": "dev"}), authorizer)
    assert refused.value.code == 500

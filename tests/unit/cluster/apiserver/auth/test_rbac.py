from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.auth.escalation import check_escalation
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.request import Context, RequestInfo, User
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key
from lateen.cluster.status import StatusError

RBAC = "rbac.authorization.k8s.io"
JANE = User("jane", groups=("dev", "system:authenticated"))
PODS = [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]


def pods(verb: str, namespace: str = "ns") -> RequestInfo:
    return RequestInfo("", verb, "", "v1", "pods", namespace)


def ref(kind: str, name: str) -> dict[str, str]:
    return {"apiGroup": RBAC, "kind": kind, "name": name}


@pytest.fixture
def authorizer(store: Store) -> Authorizer:
    return Authorizer(store)


async def test_nothing_is_allowed_by_default(authorizer: Authorizer) -> None:
    with pytest.raises(StatusError) as refused:
        authorizer.require(JANE, pods("list"))
    assert refused.value.code == 403
    assert refused.value.message == (
        'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "ns"'
    )
    with pytest.raises(StatusError) as refused:
        authorizer.require(JANE, RequestInfo("/metrics", "get"))
    assert refused.value.message == 'forbidden: User "jane" cannot get path "/metrics"'


async def test_superusers_may_all(authorizer: Authorizer) -> None:
    assert authorizer.authorize(User("root", groups=("system:masters",)), pods("delete")).allowed


async def test_a_role_holds_in_its_namespace(authorizer: Authorizer, create: Any) -> None:
    await create(RBAC, "roles", "ns", "reader", rules=PODS)
    subjects = [{"kind": "User", "name": "jane"}]
    await create(RBAC, "rolebindings", "ns", "b", roleRef=ref("Role", "reader"), subjects=subjects)
    decision = authorizer.authorize(JANE, pods("get"))
    assert decision.allowed
    assert decision.reason == 'RBAC: allowed by RoleBinding "b/ns" of Role "reader" to User "jane"'
    assert not authorizer.authorize(JANE, pods("get", "other")).allowed
    assert not authorizer.authorize(JANE, pods("get", "")).allowed
    assert not authorizer.authorize(JANE, pods("delete")).allowed


async def test_a_cluster_binding_holds_everywhere(authorizer: Authorizer, create: Any) -> None:
    await create(RBAC, "clusterroles", "", "reader", rules=PODS)
    subjects = [{"kind": "Group", "name": "dev"}]
    await create(RBAC, "clusterrolebindings", "", "b", roleRef=ref("ClusterRole", "reader"), subjects=subjects)
    assert authorizer.authorize(JANE, pods("list", "")).allowed
    assert authorizer.authorize(JANE, pods("list", "any")).allowed


async def test_service_accounts_are_subjects(authorizer: Authorizer, create: Any) -> None:
    await create(RBAC, "clusterroles", "", "reader", rules=PODS)
    subjects = [{"kind": "ServiceAccount", "name": "app", "namespace": "apps"}]
    await create(RBAC, "rolebindings", "ns", "b", roleRef=ref("ClusterRole", "reader"), subjects=subjects)
    assert authorizer.authorize(User("system:serviceaccount:apps:app"), pods("get")).allowed
    assert not authorizer.authorize(User("system:serviceaccount:ns:app"), pods("get")).allowed


async def test_a_change_counts_at_once(authorizer: Authorizer, create: Any, store: Store) -> None:
    await create(RBAC, "clusterroles", "", "reader", rules=PODS)
    assert not authorizer.authorize(JANE, pods("get")).allowed
    subjects = [{"kind": "User", "name": "jane"}]
    await create(RBAC, "clusterrolebindings", "", "b", roleRef=ref("ClusterRole", "reader"), subjects=subjects)
    assert authorizer.authorize(JANE, pods("get")).allowed
    await store.delete((RBAC, "clusterrolebindings"), Key("", "b"), None)
    assert not authorizer.authorize(JANE, pods("get")).allowed


async def test_a_binding_to_no_role_says_so(authorizer: Authorizer, create: Any) -> None:
    subjects = [{"kind": "User", "name": "jane"}]
    await create(RBAC, "rolebindings", "ns", "b", roleRef=ref("ClusterRole", "gone"), subjects=subjects)
    reason = authorizer.authorize(JANE, pods("get")).reason
    assert reason == f'RBAC: clusterrole.{RBAC} "gone" not found'


class TestEscalation:
    def context(self, user: User = JANE) -> Context:
        return Context(user, RequestInfo("", "create", RBAC, "v1", "roles", "ns"))

    def role(self, *verbs: str) -> dict[str, Any]:
        rules = [{"verbs": list(verbs), "apiGroups": [""], "resources": ["pods"]}]
        return {"metadata": {"name": "r", "namespace": "ns"}, "rules": rules}

    @pytest.fixture
    async def _jane_reads_pods(self, create: Any) -> None:
        await create(RBAC, "roles", "ns", "reader", rules=PODS)
        subjects = [{"kind": "User", "name": "jane"}]
        await create(RBAC, "rolebindings", "ns", "b", roleRef=ref("Role", "reader"), subjects=subjects)

    @pytest.mark.usefixtures("_jane_reads_pods")
    async def test_roles(self, authorizer: Authorizer) -> None:
        check_escalation(authorizer, "roles", self.role("get"), None, self.context())
        with pytest.raises(StatusError) as refused:
            check_escalation(authorizer, "roles", self.role("get", "delete"), None, self.context())
        assert refused.value.message == (
            'roles.rbac.authorization.k8s.io "r" is forbidden: user "jane" (groups=["dev" "system:authenticated"]) '
            "is attempting to grant RBAC permissions not currently held:\n"
            '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}'
        )

    @pytest.mark.usefixtures("_jane_reads_pods")
    async def test_the_verb_escalate_lifts_it(self, authorizer: Authorizer, create: Any) -> None:
        rules = [{"verbs": ["escalate"], "apiGroups": [RBAC], "resources": ["roles"]}]
        await create(RBAC, "roles", "ns", "escalator", rules=rules)
        subjects = [{"kind": "Group", "name": "dev"}]
        await create(RBAC, "rolebindings", "ns", "e", roleRef=ref("Role", "escalator"), subjects=subjects)
        check_escalation(authorizer, "roles", self.role("delete"), None, self.context())

    @pytest.mark.usefixtures("_jane_reads_pods")
    async def test_bindings(self, authorizer: Authorizer, create: Any) -> None:
        await create(RBAC, "clusterroles", "", "strong", rules=self.role("delete")["rules"])

        def binding(reference: dict[str, str]) -> dict[str, Any]:
            subjects = [{"kind": "User", "name": "joe"}]
            return {"metadata": {"name": "x", "namespace": "ns"}, "roleRef": reference, "subjects": subjects}

        check_escalation(authorizer, "rolebindings", binding(ref("Role", "reader")), None, self.context())
        with pytest.raises(StatusError) as refused:
            check_escalation(authorizer, "rolebindings", binding(ref("ClusterRole", "strong")), None, self.context())
        assert refused.value.code == 403
        with pytest.raises(StatusError) as missing:
            check_escalation(authorizer, "rolebindings", binding(ref("Role", "none")), None, self.context())
        assert missing.value.code == 404
        rules = [{"verbs": ["bind"], "apiGroups": [RBAC], "resources": ["clusterroles"], "resourceNames": ["strong"]}]
        await create(RBAC, "roles", "ns", "binder", rules=rules)
        subjects = [{"kind": "User", "name": "jane"}]
        await create(RBAC, "rolebindings", "ns", "bb", roleRef=ref("Role", "binder"), subjects=subjects)
        check_escalation(authorizer, "rolebindings", binding(ref("ClusterRole", "strong")), None, self.context())


async def test_a_superusers_rules_are_everything_once_and_what_else_is_bound(
    authorizer: Authorizer, create: Any
) -> None:
    root = User("root", groups=("system:masters", "dev"))
    assert [rule.verbs for rule in authorizer.rules(root, "ns")] == [frozenset("*"), frozenset("*")]
    everything = [
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
        {"verbs": ["*"], "nonResourceURLs": ["*"]},
    ]
    await create(RBAC, "clusterroles", "", "cluster-admin", rules=everything)
    await create(RBAC, "clusterroles", "", "reader", rules=PODS)
    for name, group in (("cluster-admin", "system:masters"), ("reader", "dev")):
        subjects = [{"kind": "Group", "name": group}]
        await create(RBAC, "clusterrolebindings", "", name, roleRef=ref("ClusterRole", name), subjects=subjects)
    assert sorted(len(rule.verbs) for rule in authorizer.rules(root, "ns")) == [1, 1, 2]

from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.auth.access_review import AccessReviews, _subject
from lateen.cluster.apiserver.auth.bootstrap import bootstrap
from lateen.cluster.apiserver.auth.rbac import Authorizer
from lateen.cluster.apiserver.request import User
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.status import StatusError

KIND = "SubjectAccessReview"
ANYBODY = User("x", groups=("system:authenticated",))


@pytest.fixture
async def reviews(store: Store) -> AccessReviews:
    await bootstrap(store)
    return AccessReviews(Authorizer(store))


async def test_allowed_with_its_reason(reviews: AccessReviews) -> None:
    asked = {"spec": {"nonResourceAttributes": {"path": "/version", "verb": "get"}}}
    status = reviews.review(asked, KIND, ANYBODY)["status"]
    assert status["allowed"] is True
    assert status["reason"].startswith("RBAC: allowed by ClusterRoleBinding")


async def test_wildcards_ask_for_everything(reviews: AccessReviews) -> None:
    everything = {"spec": {"resourceAttributes": {"verb": "*", "group": "*", "resource": "*"}}}
    assert not reviews.review(everything, KIND, ANYBODY)["status"]["allowed"]
    assert reviews.review(everything, KIND, User("r", groups=("system:masters",)))["status"]["allowed"]


@pytest.mark.parametrize(
    "spec", [{}, {"resourceAttributes": {}, "nonResourceAttributes": {}}, {"resourceAttributes": "pods"}]
)
async def test_unclear_questions(reviews: AccessReviews, spec: dict[str, Any]) -> None:
    with pytest.raises(StatusError):
        reviews.review({"spec": spec}, KIND, ANYBODY)


def test_a_subject_is_needed() -> None:
    with pytest.raises(StatusError) as refused:
        _subject({"spec": {}}, KIND)
    assert "at least one of user or group must be specified" in refused.value.message


async def test_my_rules(reviews: AccessReviews) -> None:
    status = reviews.rules_review({"spec": {"namespace": "default"}}, ANYBODY)["status"]
    resources = [r for rule in status["resourceRules"] for r in rule["resources"]]
    assert {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"} <= set(resources)
    assert any("/healthz" in rule["nonResourceURLs"] for rule in status["nonResourceRules"])
    assert status["incomplete"] is False

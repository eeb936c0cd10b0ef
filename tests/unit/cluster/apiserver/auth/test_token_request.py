from __future__ import annotations

from typing import Any

import jwt
import pytest

from lateen.cluster.apiserver.auth.service_account import ISSUER
from lateen.cluster.apiserver.auth.token_keys import TokenKeys
from lateen.cluster.apiserver.auth.token_request import EXTENDED_SECONDS, TokenRequests
from lateen.cluster.apiserver.auth.token_review import TokenReviews
from lateen.cluster.apiserver.auth.token_verifier import TokenVerifier
from lateen.cluster.apiserver.request import User
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key
from lateen.cluster.status import StatusError

ADMIN = User("admin", groups=("system:masters",))
NODE = User("system:node:one", groups=("system:nodes",))
APP = Key("ns", "app")


@pytest.fixture
async def requests(keys: TokenKeys, store: Store, clock: Any, create: Any) -> TokenRequests:
    await create("", "serviceaccounts", "ns", "app")
    await create("", "nodes", "", "one")
    await create("", "pods", "ns", "p", spec={"serviceAccountName": "app", "nodeName": "one"})
    await create("", "pods", "ns", "q", spec={"serviceAccountName": "other", "nodeName": "one"})
    await create("", "pods", "ns", "far", spec={"serviceAccountName": "app", "nodeName": "two"})
    await create("", "secrets", "ns", "s")
    return TokenRequests(keys, store, clock)


def claims(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(answer["status"]["token"], options={"verify_signature": False})
    return found


def bound(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": kind, "name": name}, **more}}


async def test_defaults(requests: TokenRequests, clock: Any) -> None:
    answer = requests.answer({"spec": {"audiences": None}}, APP, ADMIN)
    assert answer["spec"]["audiences"] == [ISSUER]
    assert answer["spec"]["expirationSeconds"] == 3600
    assert answer["status"]["expirationTimestamp"] == "2026-01-01T01:00:00Z"
    made = claims(answer)
    assert made["exp"] - made["iat"] == 3600
    assert made["sub"] == "system:serviceaccount:ns:app"
    assert made["kubernetes.io"] == {"namespace": "ns", "serviceaccount": {"name": "app", "uid": "uid-app"}}


async def test_bound_to_a_pod_and_so_to_its_node(requests: TokenRequests) -> None:
    made = claims(requests.answer(bound("Pod", "p", audiences=["vault"]), APP, ADMIN))
    assert made["aud"] == ["vault"]
    assert made["kubernetes.io"]["pod"] == {"name": "p", "uid": "uid-p"}
    assert made["kubernetes.io"]["node"] == {"name": "one", "uid": "uid-one"}


async def test_bound_to_a_secret_or_node(requests: TokenRequests) -> None:
    assert claims(requests.answer(bound("Secret", "s"), APP, ADMIN))["kubernetes.io"]["secret"]["uid"] == "uid-s"
    assert claims(requests.answer(bound("Node", "one"), APP, ADMIN))["kubernetes.io"]["node"]["uid"] == "uid-one"


async def test_the_default_volumes_token_is_extended(requests: TokenRequests) -> None:
    answer = requests.answer(bound("Pod", "p", expirationSeconds=3607), APP, NODE)
    assert answer["status"]["expirationTimestamp"] == "2026-01-01T01:00:07Z"
    made = claims(answer)
    assert made["exp"] - made["iat"] == EXTENDED_SECONDS
    assert made["kubernetes.io"]["warnafter"] == made["iat"] + 3607


@pytest.mark.parametrize(
    ("request_", "user", "code", "words"),
    [
        ({"spec": {"expirationSeconds": 599}}, ADMIN, 422, "may not specify a duration less than 10 minutes"),
        ({"spec": {"expirationSeconds": 1 << 33}}, ADMIN, 422, "larger than 2^32 seconds"),
        ({"spec": {"expirationSeconds": "1h"}}, ADMIN, 400, "expected an integer"),
        ({"spec": {"audiences": "x"}}, ADMIN, 400, "list of strings"),
        ({"spec": []}, ADMIN, 400, "expected an object"),
        (bound("Pod", "none"), ADMIN, 404, 'pods "none" not found'),
        (bound("Pod", "q"), ADMIN, 400, "pod running with different serviceaccount name."),
        (bound("ConfigMap", "x"), ADMIN, 400, "cannot bind token to object of type v1, Kind=ConfigMap"),
        ({"spec": {}}, NODE, 403, "node requested token not bound to a pod"),
        (bound("Pod", "far"), NODE, 403, "pod scheduled on a different node"),
    ],
)
async def test_refusals(requests: TokenRequests, request_: Any, user: User, code: int, words: str) -> None:
    with pytest.raises(StatusError) as refused:
        requests.answer(request_, APP, user)
    assert refused.value.code == code
    assert words in refused.value.message


async def test_a_successor_of_the_bound_object_is_refused(requests: TokenRequests) -> None:
    request = {"spec": {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "old"}}}
    with pytest.raises(StatusError) as refused:
        requests.answer(request, APP, ADMIN)
    assert refused.value.code == 409
    assert "does not match the UID in record" in refused.value.message


async def test_an_unknown_account(requests: TokenRequests) -> None:
    with pytest.raises(StatusError) as refused:
        requests.answer({}, Key("ns", "none"), ADMIN)
    assert refused.value.message == 'serviceaccounts "none" not found'


async def test_reviews_know_our_tokens(requests: TokenRequests, keys: TokenKeys, store: Store, clock: Any) -> None:
    reviews = TokenReviews(TokenVerifier(keys, store, clock))
    token = requests.answer({"spec": {"audiences": ["a", "b"]}}, APP, ADMIN)["status"]["token"]
    good = reviews.answer({"spec": {"token": token, "audiences": ["b", "c"]}})["status"]
    assert good["authenticated"] is True
    assert good["audiences"] == ["b"]
    assert good["user"]["username"] == "system:serviceaccount:ns:app"
    assert "system:authenticated" in good["user"]["groups"]
    wrong = reviews.answer({"spec": {"token": token}})["status"]
    assert "authenticated" not in wrong
    assert wrong["error"].startswith("[invalid bearer token, token audiences")
    with pytest.raises(StatusError):
        reviews.answer({"spec": {}})

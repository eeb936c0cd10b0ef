from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest

from lateen.identity.caller import BoundPod, Caller, CannotVerify, Evidence, Refused
from lateen.identity.kubernetes_tokens import LARGEST_TOKEN, KubernetesTokens
from lateen.model.identity import PeerIdentity

EXTRA = {"authentication.kubernetes.io/pod-name": ["web-1"], "authentication.kubernetes.io/pod-uid": ["u-1"]}


class Reviewed(NamedTuple):
    status: int
    body: Any
    message: str = "said no"


class Reviewer:
    """An API server that gives one answer to all reviews."""

    def __init__(self, status: Any = None, code: int = 201) -> None:
        self.answer = Reviewed(code, {"status": status or {}})
        self.asked: list[Any] = []
        self.error: Exception | None = None

    async def send(self, method: str, path: str, *, parameters=None, body=None, content_type="") -> Reviewed:
        assert (method, path) == ("POST", "/apis/authentication.k8s.io/v1/tokenreviews")
        self.asked.append(body["spec"])
        if self.error is not None:
            raise self.error
        return self.answer


def status(**more: Any) -> dict[str, Any]:
    user = {
        "username": "system:serviceaccount:shop:web",
        "groups": ["system:serviceaccounts", "system:authenticated"],
        "extra": EXTRA,
    }
    user |= more.pop("user", {})
    return {"authenticated": True, "audiences": ["istio-ca"], "user": user} | more


async def ask(reviewer: Reviewer, token: str = "t.o.k", **options: Any) -> Caller:
    return await KubernetesTokens(reviewer, lambda: "cluster.local", **options).authenticate(Evidence(token))


async def test_a_good_token_proves_identity_and_pod() -> None:
    reviewer = Reviewer(status())
    assert await ask(reviewer) == Caller(PeerIdentity("shop", "web", "cluster.local"), BoundPod("web-1", "u-1"))
    assert reviewer.asked == [{"token": "t.o.k", "audiences": ["istio-ca"]}]


async def test_a_token_need_not_be_bound_to_a_pod() -> None:
    assert (await ask(Reviewer(status(user={"extra": {}})))).pod is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "does not know"),
        (status(authenticated=False), "does not know"),
        (status(authenticated="true"), "does not know"),
        (status(audiences=[]), "not for istio-ca"),
        (status(audiences=None), "not for istio-ca"),
        (status(audiences=["kubernetes.default.svc"]), "not for istio-ca"),
        (status(user={"groups": ["system:authenticated"]}), "service account"),
        (status(user={"username": "jane"}), "service account"),
        (status(user={"username": "system:serviceaccount:shop"}), "service account"),
        (status(user={"username": "system:serviceaccount:a:b:c"}), "service account"),
        (status(user={"username": "system:serviceaccount:shop/../bank:web"}), "service account"),
        (status(user={"username": "system:serviceaccount::web"}), "service account"),
    ],
)
async def test_what_proves_nothing(given: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said) as caught:
        await ask(Reviewer(given))
    assert not caught.value.denied


@pytest.mark.parametrize("token", ["", "a" * (LARGEST_TOKEN + 1), "tökén", "a\r\nb"])
async def test_the_api_server_is_not_asked_about_nonsense(token: str) -> None:
    reviewer = Reviewer(status())
    with pytest.raises(Refused):
        await ask(reviewer, token)
    assert reviewer.asked == []


async def test_tokens_of_other_clusters_are_refused_unasked() -> None:
    reviewer = Reviewer(status())
    with pytest.raises(Refused, match="west"):
        await KubernetesTokens(reviewer, lambda: "", cluster="east").authenticate(Evidence("t", cluster="west"))
    assert reviewer.asked == []


@pytest.mark.parametrize("code", [403, 404, 429, 500])
async def test_who_cannot_be_asked_has_not_said_no(code: int) -> None:
    with pytest.raises(CannotVerify, match="said no"):
        await ask(Reviewer(status(), code))


@pytest.mark.parametrize("error", [ConnectionError("down"), TimeoutError(), ValueError("credentials")])
async def test_no_answer_is_no_refusal(error: Exception) -> None:
    reviewer = Reviewer()
    reviewer.error = error
    with pytest.raises(CannotVerify):
        await ask(reviewer)


async def test_a_slow_server_is_not_waited_for() -> None:
    class Slow(Reviewer):
        async def send(self, *args: Any, **options: Any) -> Reviewed:
            await asyncio.Event().wait()
            raise AssertionError

    with pytest.raises(CannotVerify):
        await ask(Slow(), timeout=0.01)


async def test_nothing_is_remembered() -> None:
    """The token of a pod that has been deleted is bad at once."""
    reviewer = Reviewer(status())
    tokens = KubernetesTokens(reviewer, lambda: "cluster.local")
    await tokens.authenticate(Evidence("t"))
    reviewer.answer = Reviewed(201, {"status": {"authenticated": False}})
    with pytest.raises(Refused):
        await tokens.authenticate(Evidence("t"))

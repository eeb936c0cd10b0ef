"""Who may have Secrets: the API server is asked, and its answers count for a while."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest

from lateen.istiod.secret_rights import RightsLimits, SecretRights
from lateen.model.identity import PeerIdentity
from lateen.xds.authentication import CannotTell

EDGE = PeerIdentity("edge", "gateway", "cluster.local")
WEB = PeerIdentity("edge", "web", "cluster.local")


class Told(NamedTuple):
    status: int
    body: Any
    message: str = "said no"
    retry_after: float = 0.0


class Reviewer:
    """An API server at which those in `allowed` may list Secrets."""

    def __init__(self, *allowed: str) -> None:
        self.allowed = set(allowed)
        self.asked: list[Any] = []
        self.error: Exception | None = None
        self.code = 201
        self.answering = asyncio.Event()
        self.answering.set()

    async def send(self, method: str, path: str, *, parameters=None, body=None, content_type="") -> Told:
        assert (method, path) == ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews")
        self.asked.append(body["spec"])
        await self.answering.wait()
        if self.error is not None:
            raise self.error
        return Told(self.code, {"status": {"allowed": body["spec"]["user"] in self.allowed}})


async def test_the_api_server_is_asked_whether_the_account_may_list_secrets_of_its_namespace() -> None:
    reviewer = Reviewer("system:serviceaccount:edge:gateway")
    rights = SecretRights(reviewer)
    assert await rights.secrets(EDGE)
    assert not await rights.secrets(WEB)
    assert reviewer.asked[0] == {
        "user": "system:serviceaccount:edge:gateway",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:edge", "system:authenticated"],
        "resourceAttributes": {"namespace": "edge", "verb": "list", "resource": "secrets"},
    }


async def test_who_has_proven_nothing_may_not_and_nobody_is_asked() -> None:
    reviewer = Reviewer()
    assert not await SecretRights(reviewer).secrets(None)
    assert not reviewer.asked


async def test_an_answer_counts_for_a_while() -> None:
    now = 0.0
    reviewer = Reviewer("system:serviceaccount:edge:gateway")
    rights = SecretRights(reviewer, clock=lambda: now)
    assert await rights.secrets(EDGE)
    reviewer.allowed.clear()
    now = 59.0
    assert await rights.secrets(EDGE)
    now = 61.0
    assert not await rights.secrets(EDGE)
    assert len(reviewer.asked) == 2


async def test_many_that_come_at_once_are_asked_about_once() -> None:
    reviewer = Reviewer("system:serviceaccount:edge:gateway")
    reviewer.answering.clear()
    rights = SecretRights(reviewer, limits=RightsLimits(at_once=1))
    asking = [asyncio.create_task(rights.secrets(EDGE)) for _ in range(20)]
    while not reviewer.asked:
        await asyncio.sleep(0)
    reviewer.answering.set()
    assert await asyncio.gather(*asking) == [True] * 20
    assert len(reviewer.asked) == 1


@pytest.mark.parametrize(("error", "code"), [(OSError("gone"), 201), (None, 403), (None, 500)])
async def test_without_an_answer_it_cannot_be_told(error: Exception | None, code: int) -> None:
    reviewer = Reviewer("system:serviceaccount:edge:gateway")
    reviewer.error, reviewer.code = error, code
    with pytest.raises(CannotTell, match="rights"):
        await SecretRights(reviewer).secrets(EDGE)


async def test_what_was_known_counts_while_there_is_no_other_answer() -> None:
    now = 0.0
    reviewer = Reviewer("system:serviceaccount:edge:gateway")
    rights = SecretRights(reviewer, clock=lambda: now)
    assert await rights.secrets(EDGE)
    now, reviewer.error = 1000.0, OSError("gone")
    assert await rights.secrets(EDGE)


async def test_an_api_server_that_says_nothing_is_not_waited_for_for_ever() -> None:
    reviewer = Reviewer()
    reviewer.answering.clear()
    with pytest.raises(CannotTell, match="no answer"):
        await SecretRights(reviewer, limits=RightsLimits(timeout=0.01)).secrets(EDGE)


async def test_only_so_many_accounts_are_remembered() -> None:
    reviewer = Reviewer()
    rights = SecretRights(reviewer, limits=RightsLimits(remembered=1))
    for who in (EDGE, WEB, EDGE):
        await rights.secrets(who)
    assert len(reviewer.asked) == 3

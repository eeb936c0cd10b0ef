from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from lateen.identity.caller import BoundPod, Caller, CannotVerify, Evidence, Refused
from lateen.identity.pods import FromOwnPod, KubernetesPods, facts_about
from lateen.model.identity import PeerIdentity


class Shown(NamedTuple):
    status: int
    body: Any
    message: str = "said no"


class Server:
    def __init__(self, answer: Shown | Exception) -> None:
        self._answer = answer

    async def send(self, method: str, path: str, *, parameters=None, body=None, content_type="") -> Shown:
        assert (method, path) == ("GET", "/api/v1/namespaces/shop/pods/web-1")
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def test_a_pod_is_read() -> None:
    body = {"metadata": {"name": "web-1", "uid": "u"}, "spec": {"serviceAccountName": "web"}, "status": {}}
    pod = await KubernetesPods(Server(Shown(200, body))).get("shop", "web-1")
    assert pod is not None
    assert (pod.metadata.uid, pod.service_account) == ("u", "web")


async def test_there_is_none() -> None:
    assert await KubernetesPods(Server(Shown(404, {}))).get("shop", "web-1") is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Shown(403, {}), "said no"),
        (Shown(500, {}), "said no"),
        (Shown(200, {"metadata": {"name": 5}}), "cannot be read"),
        (Shown(200, "text"), "cannot be read"),
        (ConnectionError("down"), "down"),
        (TimeoutError(), "no answer"),
    ],
)
async def test_who_cannot_be_asked_has_not_said_no(answer: Shown | Exception, said: str) -> None:
    with pytest.raises(CannotVerify, match=said):
        await KubernetesPods(Server(answer)).get("shop", "web-1")


@pytest.mark.parametrize(
    ("address", "stolen"),
    [
        ("10.0.0.1", False),  # its own
        ("10.0.0.2", True),  # of another pod
        ("192.168.0.1", False),  # of nobody that is known: translated on the way
        ("", False),
    ],
)
async def test_a_token_that_another_pod_shows_has_been_taken(address: str, stolen: bool) -> None:
    body = {
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "u"},
        "spec": {"serviceAccountName": "web"},
        "status": {"phase": "Running", "podIP": "10.0.0.1"},
    }
    pods = KubernetesPods(Server(Shown(200, body)))
    caller = Caller(PeerIdentity("shop", "web", "cluster.local"), BoundPod("web-1", "u"))
    holders = {"10.0.0.1": "shop/web-1", "10.0.0.2": "shop/evil"}
    attempt = facts_about(caller, pods, "c", address, lambda each: holders.get(each, ""))
    if stolen:
        with pytest.raises(Refused, match="comes from shop/evil"):
            await attempt
    else:
        assert (await attempt).workload == "web-1"


async def test_a_pod_without_an_address_yet_is_believed() -> None:
    body = {"metadata": {"name": "web-1", "namespace": "shop", "uid": "u"}, "spec": {"serviceAccountName": "web"}}
    pods = KubernetesPods(Server(Shown(200, body)))
    caller = Caller(PeerIdentity("shop", "web", "cluster.local"), BoundPod("web-1", "u"))
    assert await facts_about(caller, pods, "c", "10.0.0.2", lambda _: "shop/just-deleted")


class Believing:
    """Everybody is the one caller."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def authenticate(self, evidence: Evidence) -> Caller:
        return self._caller


async def test_configuration_is_not_for_a_token_that_another_pod_shows() -> None:
    body = {
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "u"},
        "spec": {"serviceAccountName": "web"},
        "status": {"phase": "Running", "podIP": "10.0.0.1"},
    }
    caller = Caller(PeerIdentity("shop", "web", "cluster.local"), BoundPod("web-1", "u"))
    holders = {"10.0.0.2": "shop/evil"}
    own = FromOwnPod(Believing(caller), KubernetesPods(Server(Shown(200, body))), lambda each: holders.get(each, ""))
    assert await own.authenticate(Evidence("t", address="10.0.0.1")) == caller
    with pytest.raises(Refused, match="comes from shop/evil"):
        await own.authenticate(Evidence("t", address="10.0.0.2"))


async def test_who_has_shown_no_token_of_a_pod_is_asked_for_none() -> None:
    caller = Caller(PeerIdentity("shop", "web", "cluster.local"))
    own = FromOwnPod(Believing(caller), KubernetesPods(Server(OSError("nobody to ask"))), lambda _: "shop/evil")
    assert await own.authenticate(Evidence(certificate=b"c", address="10.0.0.2")) == caller

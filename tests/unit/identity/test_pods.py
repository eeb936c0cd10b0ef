from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from lateen.identity.caller import CannotVerify
from lateen.identity.pods import KubernetesPods


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

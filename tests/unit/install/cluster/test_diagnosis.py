"""What is said of a Deployment that does not get ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from lateen.install.cluster.diagnosis import diagnose
from lateen.install.cluster.readiness import bundles, rollout

_DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "istiod", "namespace": "n"},
    "spec": {"selector": {"matchLabels": {"app": "istiod"}}},
}


class _Answer(NamedTuple):
    status: int
    body: Any
    message: str = ""
    retry_after: float = 0.0


class _Api:
    def __init__(self, pods: list[dict[str, Any]], events: list[dict[str, Any]], log: str = "") -> None:
        self._answers = {"pods": pods, "events": events, "replicasets": [_REPLICA_SET]}
        self._log = log
        self.asked: list[Mapping[str, str]] = []

    async def send(self, method: str, path: str, **options: Any) -> _Answer:
        return _Answer(200, {"items": self._answers[path.rpartition("/")[2]]})

    async def text(self, path: str, parameters: Mapping[str, str] | None = None) -> str:
        self.asked.append(parameters or {})
        return self._log


_REPLICA_SET = {"metadata": {"name": "istiod-1"}, "spec": {"replicas": 1}}


def _pod(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "istiod-1-a", "namespace": "n"}, "status": {"phase": "Pending", **status}}


async def test_no_room() -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "1 Insufficient memory",
    }
    said = await diagnose(_Api([_pod(conditions=[condition])], []), _DEPLOYMENT)
    assert "1 Insufficient memory" in said
    assert "lower the requests" in said


async def test_a_container_that_ends_again_and_again() -> None:
    container = {
        "name": "discovery",
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 2}},
    }
    api = _Api([_pod(containerStatuses=[container])], [], "line one\nwrong flag\n")
    said = await diagnose(api, _DEPLOYMENT)
    for text in ("ended with 2 (Error), started again 3 times", "| wrong flag", "its last log lines say why"):
        assert text in said
    assert api.asked[0]["previous"] == "true"


async def test_pods_that_are_refused() -> None:
    event = {"type": "Warning", "reason": "FailedCreate", "message": "exceeded quota", "lastTimestamp": "1"}
    later = event | {"message": "exceeded quota again", "lastTimestamp": "2"}
    said = await diagnose(_Api([], [event, later]), _DEPLOYMENT)
    assert "there are no pods" in said
    assert said.count("exceeded quota") == 1
    assert "exceeded quota again" in said
    assert "which policy or quota" in said


async def test_what_cannot_be_read_is_left_out() -> None:
    class Broken(_Api):
        async def send(self, method: str, path: str, **options: Any) -> _Answer:
            raise ConnectionError("gone")

    assert "gone" in await diagnose(Broken([], []), _DEPLOYMENT)


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({}, "not seen by its controller yet"),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1}, "1 of 2 pods are of the new version"),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2}, "1 old pods are still there"),
        (
            {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1},
            "1 of 2 pods are ready",
        ),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, ""),
    ],
)
def test_rollout(status: dict[str, int], why: str) -> None:
    assert rollout({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}) == why


def test_injection_needs_a_bundle() -> None:
    assert "CA bundle" in bundles({"webhooks": [{"name": "a", "clientConfig": {}}]})
    assert bundles({"webhooks": [{"name": "a", "clientConfig": {"caBundle": "x"}}]}) == ""

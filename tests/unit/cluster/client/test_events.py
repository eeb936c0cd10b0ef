from __future__ import annotations

from typing import Any

from lateen.cluster.client.events import EventRecorder

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n", "uid": "u"}}


async def test_repetitions_are_counted_in_one_event(server: Any) -> None:
    async with server.client() as client:
        recorder = EventRecorder(client, "kubelet", "node-1")
        for _ in range(3):
            recorder.event(POD, "Warning", "BackOff", "Back-off restarting failed container")
        recorder.event(POD, "Normal", "Started", "Started container")
        await recorder.flush()
    events = sorted(server.objects.values(), key=lambda e: e["reason"])
    assert [(e["reason"], e["count"]) for e in events] == [("BackOff", 3), ("Started", 1)]
    assert events[0]["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": "p",
        "namespace": "n",
        "uid": "u",
    }
    assert events[0]["source"] == {"component": "kubelet", "host": "node-1"}


async def test_one_object_cannot_flood(server: Any) -> None:
    async with server.client() as client:
        recorder = EventRecorder(client, "kubelet")
        for i in range(100):
            recorder.event(POD, "Warning", "Failed", f"attempt {i}")
        await recorder.flush()
    assert len(server.objects) == 25

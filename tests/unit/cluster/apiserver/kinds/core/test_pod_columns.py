from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from lateen.cluster.apiserver.kinds.core.pod_columns import pod_row
from lateen.cluster.objects import Obj

_NOW = dt.datetime(2026, 1, 1, 0, 10, tzinfo=dt.UTC)


def _pod(status: Obj, spec: Obj | None = None, **meta: Any) -> Obj:
    return {
        "metadata": {"name": "web", "creationTimestamp": "2026-01-01T00:00:00Z", **meta},
        "spec": {"containers": [{"name": "a"}], **(spec or {})},
        "status": status,
    }


def _container(state: Obj, name: str = "a", **more: Any) -> Obj:
    return {"name": name, "restartCount": 0, "state": state, **more}


_RUNNING = {"running": {"startedAt": "2026-01-01T00:00:01Z"}}
_READY = [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}]
_INIT = {"initContainers": [{"name": "i"}, {"name": "j"}]}
_SIDECAR = {"initContainers": [{"name": "s", "restartPolicy": "Always"}]}


@pytest.mark.parametrize(
    ("pod", "ready", "status"),
    [
        (_pod({"phase": "Pending"}), "0/1", "Pending"),
        (
            _pod({"phase": "Running", "conditions": _READY, "containerStatuses": [_container(_RUNNING, ready=True)]}),
            "1/1",
            "Running",
        ),
        (
            _pod({"phase": "Pending", "containerStatuses": [_container({"waiting": {"reason": "ContainerCreating"}})]}),
            "0/1",
            "ContainerCreating",
        ),
        (
            _pod({"phase": "Pending", "containerStatuses": [_container({"waiting": {"reason": "ErrImagePull"}})]}),
            "0/1",
            "ErrImagePull",
        ),
        (
            _pod(
                {
                    "phase": "Succeeded",
                    "containerStatuses": [_container({"terminated": {"exitCode": 0, "reason": "Completed"}})],
                }
            ),
            "0/1",
            "Completed",
        ),
        (
            _pod({"phase": "Failed", "containerStatuses": [_container({"terminated": {"exitCode": 3}})]}),
            "0/1",
            "ExitCode:3",
        ),
        (_pod({"phase": "Failed", "reason": "Evicted"}), "0/1", "Evicted"),
        (_pod({"phase": "Running"}, deletionTimestamp="2026-01-01T00:01:00Z"), "0/1", "Terminating"),
        (_pod({"phase": "Succeeded"}, deletionTimestamp="2026-01-01T00:01:00Z"), "0/1", "Succeeded"),
        (
            _pod(
                {"phase": "Pending", "initContainerStatuses": [_container(_RUNNING, "i"), _container({}, "j")]}, _INIT
            ),
            "0/1",
            "Init:0/2",
        ),
        (
            _pod(
                {
                    "phase": "Pending",
                    "initContainerStatuses": [_container({"terminated": {"exitCode": 0}}, "i"), _container({}, "j")],
                },
                _INIT,
            ),
            "0/1",
            "Init:1/2",
        ),
        (
            _pod(
                {
                    "phase": "Pending",
                    "initContainerStatuses": [_container({"waiting": {"reason": "CrashLoopBackOff"}}, "i")],
                },
                _INIT,
            ),
            "0/1",
            "Init:CrashLoopBackOff",
        ),
        (
            _pod(
                {
                    "phase": "Running",
                    "conditions": _READY,
                    "initContainerStatuses": [_container(_RUNNING, "s", started=True, ready=True)],
                    "containerStatuses": [_container(_RUNNING, ready=True)],
                },
                _SIDECAR,
            ),
            "2/2",
            "Running",
        ),
    ],
)
def test_ready_and_status(pod: Obj, ready: str, status: str) -> None:
    assert pod_row(pod, _NOW)[1:3] == [ready, status]


def test_restarts_say_when_the_last_one_was() -> None:
    last = {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:07:00Z"}}
    status = _container({"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=4, lastState=last)
    row = pod_row(_pod({"phase": "Running", "containerStatuses": [status]}), _NOW)
    assert row[2:5] == ["CrashLoopBackOff", "4 (3m ago)", "10m"]


def test_wide_cells() -> None:
    spec = {"nodeName": "n1", "readinessGates": [{"conditionType": "a/b"}, {"conditionType": "c/d"}]}
    status = {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}], "conditions": [{"type": "a/b", "status": "True"}]}
    assert pod_row(_pod(status, spec), _NOW)[5:] == ["10.0.0.1", "n1", "<none>", "1/2"]
    assert pod_row(_pod({}), _NOW)[5:] == ["<none>"] * 4

"""How `kubectl get pods` shows a pod.

Source: k8s.io/kubernetes `pkg/printers/internalversion.printPod`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from lateen.cluster.apiserver.age import age_of, human_duration
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.apiserver.kinds.fields import mapping, number, objects, text
from lateen.cluster.objects import Obj, metadata, name_of, parse_timestamp

COLUMNS = (
    Column("Name", format="name"),
    Column("Ready"),
    Column("Status"),
    Column("Restarts"),
    Column("Age"),
    Column("IP", priority=1),
    Column("Node", priority=1),
    Column("Nominated Node", priority=1),
    Column("Readiness Gates", priority=1),
)


@dataclass(slots=True)
class _Summary:
    reason: str
    ready: int = 0
    restarts: int = 0
    last_restart: str = ""

    def count(self, status: Obj) -> None:
        self.restarts += number(status, "restartCount")
        finished = text(mapping(mapping(status, "lastState"), "terminated"), "finishedAt")
        self.last_restart = max(self.last_restart, finished)


def pod_row(pod: Obj, now: dt.datetime) -> list[Any]:
    spec, status = mapping(pod, "spec"), mapping(pod, "status")
    summary = _summarize(pod, spec, status)
    sidecars = sum(1 for container in objects(spec, "initContainers") if container.get("restartPolicy") == "Always")
    restarts = str(summary.restarts)
    if summary.restarts and summary.last_restart:
        elapsed = (now - parse_timestamp(summary.last_restart)).total_seconds()
        restarts = f"{summary.restarts} ({human_duration(elapsed)} ago)"
    addresses = objects(status, "podIPs")
    return [
        name_of(pod),
        f"{summary.ready}/{len(objects(spec, 'containers')) + sidecars}",
        summary.reason,
        restarts,
        age_of(pod, now),
        (text(addresses[0], "ip") if addresses else text(status, "podIP")) or "<none>",
        text(spec, "nodeName") or "<none>",
        text(status, "nominatedNodeName") or "<none>",
        _readiness_gates(spec, status),
    ]


def _condition(status: Obj, kind: str) -> bool:
    return any(c.get("type") == kind and c.get("status") == "True" for c in objects(status, "conditions"))


def _readiness_gates(spec: Obj, status: Obj) -> str:
    gates = objects(spec, "readinessGates")
    if not gates:
        return "<none>"
    return f"{sum(_condition(status, text(gate, 'conditionType')) for gate in gates)}/{len(gates)}"


def _summarize(pod: Obj, spec: Obj, status: Obj) -> _Summary:
    summary = _Summary(text(status, "reason") or text(status, "phase"))
    for condition in objects(status, "conditions"):
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            summary.reason = "SchedulingGated"
    sidecars = _Summary("")
    initializing = _summarize_init(spec, status, summary, sidecars)
    if not initializing or _condition(status, "Initialized"):
        summary.restarts, summary.last_restart = sidecars.restarts, sidecars.last_restart
        _summarize_main(status, summary)
    if metadata(pod).get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            summary.reason = "Unknown"
        elif status.get("phase") not in ("Succeeded", "Failed"):
            summary.reason = "Terminating"
    return summary


def _summarize_init(spec: Obj, status: Obj, summary: _Summary, sidecars: _Summary) -> bool:
    """Counts init containers up to the one that holds the pod back; whether there is one."""
    declared = objects(spec, "initContainers")
    sidecar_names = {text(container, "name") for container in declared if container.get("restartPolicy") == "Always"}
    for position, container in enumerate(objects(status, "initContainerStatuses")):
        summary.count(container)
        is_sidecar = text(container, "name") in sidecar_names
        if is_sidecar:
            sidecars.count(container)
        state = mapping(container, "state")
        terminated, waiting = state.get("terminated"), mapping(state, "waiting")
        if terminated is not None and number(terminated, "exitCode") == 0:
            continue
        if is_sidecar and container.get("started"):
            summary.ready += bool(container.get("ready"))
            continue
        if terminated is not None:
            summary.reason = "Init:" + _exit_reason(terminated)
        elif text(waiting, "reason") not in ("", "PodInitializing"):
            summary.reason = "Init:" + text(waiting, "reason")
        else:
            summary.reason = f"Init:{position}/{len(declared)}"
        return True
    return False


def _summarize_main(status: Obj, summary: _Summary) -> None:
    running = False
    for container in reversed(objects(status, "containerStatuses")):
        summary.count(container)
        state = mapping(container, "state")
        if text(mapping(state, "waiting"), "reason"):
            summary.reason = text(state["waiting"], "reason")
        elif isinstance(state.get("terminated"), dict):
            summary.reason = _exit_reason(state["terminated"])
        elif container.get("ready") and isinstance(state.get("running"), dict):
            running = True
            summary.ready += 1
    if summary.reason == "Completed" and running:
        summary.reason = "Running" if _condition(status, "Ready") else "NotReady"


def _exit_reason(terminated: Obj) -> str:
    if text(terminated, "reason"):
        return text(terminated, "reason")
    if number(terminated, "signal"):
        return f"Signal:{number(terminated, 'signal')}"
    return f"ExitCode:{number(terminated, 'exitCode')}"

"""A pod's status as its API object says it, from what the node knows of its containers.

Source: the kubelet's status generation: phases, conditions with reasons and messages, container states.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lateen.cluster.node.plan import initialized, should_restart
from lateen.cluster.node.tracked import Tracked
from lateen.cluster.objects import Obj, metadata, timestamp
from lateen.cluster.quality_of_service import qos_class

_OWNED = ("PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the status says beside the containers'. `reason` and `message` are the pod's own (such as a deadline)."""

    addresses: tuple[str, ...]
    host_addresses: tuple[str, ...]
    sandbox_ready: bool
    ended: bool
    """Nothing runs and nothing will be started."""
    started_at: str
    failed: tuple[str, str] | None = None


def _time(seconds: float) -> str:
    return timestamp(dt.datetime.fromtimestamp(seconds, dt.UTC))


def _terminated(state: dict[str, Any], message: str) -> Obj:
    if state.get("lost"):
        reason = "ContainerStatusUnknown"
    elif state.get("failure"):
        reason, message = "StartError", state["failure"]
    elif state.get("oom_killed"):
        reason = "OOMKilled"
    else:
        reason = "Completed" if state["exit_code"] == 0 else "Error"
    described: Obj = {
        "exitCode": state["exit_code"],
        "reason": reason,
        "startedAt": _time(state["started_at"]),
        "finishedAt": _time(state["finished_at"]),
        "containerID": f"lateen://{state['id']}",
    }
    if message:
        described["message"] = message
    return {"terminated": described}


def container_status(container: Tracked, default_waiting: str) -> Obj:
    state, last = container.state, container.previous
    message, last_message = container.message, container.previous_message
    if container.waiting is not None or state is None or (state["state"] == "starting"):
        reason, text = container.waiting or (default_waiting, "")
        shown: Obj = {"waiting": {"reason": reason} | ({"message": text} if text else {})}
        if state is not None and state["state"] == "exited":
            last, last_message = state, message
    elif state["state"] == "running":
        shown = {"running": {"startedAt": _time(state["started_at"])}}
    else:
        shown = _terminated(state, message)
    status: Obj = {
        "name": container.name,
        "state": shown,
        "lastState": _terminated(last, last_message) if last and last["state"] == "exited" else {},
        "ready": _shown_ready(container),
        "restartCount": max(0, container.attempt),
        "image": container.spec.get("image", ""),
        "imageID": container.image_id,
        "started": container.started,
    }
    if container.id:
        status["containerID"] = f"lateen://{container.id}"
    if container.role == "init":
        status["started"] = container.running and bool((state or {}).get("started_at"))
    return status


def _shown_ready(container: Tracked) -> bool:
    if container.role == "init":
        return container.exited and container.exit_code == 0
    return container.ready and container.role != "ephemeral"


def phase(containers: Sequence[Tracked], policy: str, facts: Facts) -> str:
    """`Succeeded` and `Failed` are final: as long as anything runs (a sidecar), it is neither."""
    found = _phase(containers, policy, facts)
    final = found in ("Succeeded", "Failed")
    return "Running" if final and any(c.running for c in containers) else found


def _phase(containers: Sequence[Tracked], policy: str, facts: Facts) -> str:
    if facts.failed is not None:
        return "Failed"
    init = [c for c in containers if c.role == "init"]
    mains = [c for c in containers if c.role == "main"]
    if not initialized(containers):
        broken = any(c.in_sandbox and c.exited and not should_restart(c, policy) and c.exit_code for c in init)
        return "Failed" if broken else "Pending"
    if any(c.attempt < 0 or ((c.state or {}).get("state") == "starting" and c.attempt == 0) for c in mains):
        return "Failed" if facts.ended else "Pending"
    if any(c.running or (c.exited and should_restart(c, policy) and not facts.ended) for c in mains):
        return "Running"
    return "Succeeded" if all(c.exit_code == 0 for c in mains) else "Failed"


def _condition(kind: str, fulfilled: bool, reason: str = "", message: str = "") -> Obj:
    condition: Obj = {"type": kind, "status": "True" if fulfilled else "False"}
    if reason and not fulfilled:
        condition["reason"] = reason
        if message:
            condition["message"] = message
    elif reason:
        condition["reason"] = reason
    return condition


def _names(containers: Sequence[Tracked]) -> str:
    return "[" + " ".join(c.name for c in containers) + "]"


def _conditions(pod: Obj, containers: Sequence[Tracked], facts: Facts, current_phase: str) -> list[Obj]:
    done = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(current_phase, "")
    incomplete = [
        c
        for c in containers
        if (c.role == "init" and not (c.exited and c.exit_code == 0)) or (c.role == "sidecar" and not c.started)
    ]
    is_initialized = initialized(containers)
    init_reason = "PodCompleted" if current_phase == "Succeeded" and is_initialized else "ContainersNotInitialized"
    found = [
        _condition("PodReadyToStartContainers", facts.sandbox_ready),
        _condition(
            "Initialized",
            is_initialized,
            init_reason if not is_initialized or current_phase == "Succeeded" else "",
            f"containers with incomplete status: {_names(incomplete)}",
        ),
    ]
    unready = [c for c in containers if c.role != "init" and not c.ready]
    message = f"containers with unready status: {_names(unready)}" if unready and not done else ""
    ready = not unready and not done
    reason = done or ("ContainersNotReady" if unready else "")
    found.append(_condition("ContainersReady", ready, reason if not ready else "", message))
    gates = _gate_messages(pod) if ready else []
    if gates:
        found.append(_condition("Ready", False, "ReadinessGatesNotReady", ", ".join(gates)))
    else:
        found.append(_condition("Ready", ready, reason if not ready else "", message))
    return found


def _gate_messages(pod: Obj) -> list[str]:
    present = {c["type"]: c["status"] for c in (pod.get("status") or {}).get("conditions") or ()}
    messages = []
    for gate in pod["spec"].get("readinessGates") or ():
        kind = gate["conditionType"]
        if kind not in present:
            messages.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif present[kind] != "True":
            messages.append(f'the status of pod readiness gate "{kind}" is not "True", but {present[kind]}')
    return messages


def _with_transitions(conditions: list[Obj], previous: Sequence[Obj]) -> list[Obj]:
    before = {c["type"]: c for c in previous}
    now = timestamp()
    for condition in conditions:
        old = before.get(condition["type"])
        same = old is not None and old["status"] == condition["status"]
        condition["lastProbeTime"] = None
        condition["lastTransitionTime"] = old["lastTransitionTime"] if old is not None and same else now
    return conditions


def pod_status(pod: Obj, containers: Sequence[Tracked], facts: Facts, previous: Obj) -> Obj:
    """The status fields that the node owns. `previous` is the status as it was last, for transition times."""
    policy = pod["spec"].get("restartPolicy") or "Always"
    ephemeral = [c for c in containers if c.role == "ephemeral"]
    containers = [c for c in containers if c.role != "ephemeral"]
    current = phase(containers, policy, facts)
    has_init = any(c.role != "main" for c in containers)
    waiting = "PodInitializing" if has_init else "ContainerCreating"
    status: Obj = {
        "phase": current,
        "conditions": _with_transitions(_conditions(pod, containers, facts, current), previous.get("conditions") or ()),
        "hostIP": facts.host_addresses[0] if facts.host_addresses else "",
        "hostIPs": [{"ip": address} for address in facts.host_addresses],
        "startTime": facts.started_at,
        "qosClass": qos_class(pod["spec"]),
        "containerStatuses": [container_status(c, waiting) for c in containers if c.role == "main"],
    }
    if has_init:
        status["initContainerStatuses"] = [container_status(c, waiting) for c in containers if c.role != "main"]
    if ephemeral:
        status["ephemeralContainerStatuses"] = [container_status(c, "ContainerCreating") for c in ephemeral]
    if facts.addresses:
        status["podIP"] = facts.addresses[0]
        status["podIPs"] = [{"ip": address} for address in facts.addresses]
    if facts.failed is not None:
        status["reason"], status["message"] = facts.failed
    return status


def status_patch(pod: Obj, status: Obj) -> Obj:
    """A strategic merge patch towards `status`: other writers' conditions stay, addresses are replaced."""
    present = pod.get("status") or {}
    body = dict(status)
    known = {condition["type"]: condition for condition in present.get("conditions") or ()}
    body["conditions"] = [
        # A merge keeps what is not named: reasons that hold no more have to go.
        {field: None for field in ("reason", "message") if field in known.get(condition["type"], {})} | condition
        for condition in status["conditions"]
    ]
    for name in ("podIPs", "hostIPs"):
        if name in body and present.get(name) not in (None, body[name]):
            body[name] = [*body[name], {"$patch": "replace"}]
    return {"metadata": {"uid": metadata(pod).get("uid")}, "status": body}


def merged(pod: Obj, status: Obj) -> Obj:
    """The pod with the node's own status over the one it has."""
    others = [c for c in (pod.get("status") or {}).get("conditions") or () if c["type"] not in _OWNED]
    return pod | {"status": (pod.get("status") or {}) | status | {"conditions": [*others, *status["conditions"]]}}

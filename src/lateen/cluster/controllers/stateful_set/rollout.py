"""The next steps of a StatefulSet: which ordinals to create, which pods to delete; and its status."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from lateen.cluster.controllers import pods
from lateen.cluster.controllers.stateful_set.members import first_ordinal, hash_label, ordinal_of, replicas_of
from lateen.cluster.objects import Obj, metadata


@dataclass(frozen=True, slots=True)
class Revisions:
    """The hashes of the template that was rolled out last, and of the one that is being rolled out."""

    current: str
    update: str


@dataclass(slots=True)
class Plan:
    """`create` holds ordinals with the hash of their revision; `scale_down` those of `delete` beyond the size."""

    create: list[tuple[int, str]] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)
    scale_down: list[Obj] = field(default_factory=list)


def partition_of(owner: Obj) -> int:
    rolling = (owner["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    return int(rolling.get("partition") or 0)


def strategy_of(owner: Obj) -> str:
    return str((owner["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate"))


def is_parallel(owner: Obj) -> bool:
    return bool(owner["spec"].get("podManagementPolicy") == "Parallel")


def _new_hash(owner: Obj, ordinal: int, revisions: Revisions) -> str:
    """Below the partition a lost pod comes back as it was."""
    if strategy_of(owner) == "RollingUpdate" and partition_of(owner):
        return revisions.current if ordinal < first_ordinal(owner) + partition_of(owner) else revisions.update
    kept = int((owner.get("status") or {}).get("currentReplicas") or 0)
    return revisions.current if ordinal < first_ordinal(owner) + kept else revisions.update


def plan(owner: Obj, owned: Sequence[Obj], revisions: Revisions, now: dt.datetime) -> Plan:
    """One ordered step (`OrderedReady`), or all at once (`Parallel`)."""
    start, size, ordered = first_ordinal(owner), replicas_of(owner), not is_parallel(owner)
    min_ready = int(owner["spec"].get("minReadySeconds") or 0)
    members = {o: p for p in owned if (o := ordinal_of(owner, p)) is not None}
    result = Plan()

    def healthy(pod: Obj) -> bool:
        return pods.phase(pod) == "Running" and not pods.is_deleting(pod) and pods.is_available(pod, min_ready, now)

    for ordinal in range(start, start + size):
        pod = members.get(ordinal)
        if pod is None:
            result.create.append((ordinal, _new_hash(owner, ordinal, revisions)))
        elif pods.is_terminal(pod) and not pods.is_deleting(pod):
            result.delete.append(pod)
        elif healthy(pod):
            continue
        if ordered:
            return result
    condemned = [members[o] for o in sorted(members, reverse=True) if not start <= o < start + size]
    unhealthy = [pod for pod in [*condemned[::-1], *_within(members, start, size)] if not healthy(pod)]
    for pod in condemned:
        if pods.is_deleting(pod):
            if ordered:
                return result
            continue
        if ordered and not healthy(pod) and pod is not unhealthy[0]:
            return result
        result.scale_down.append(pod)
        if ordered:
            return result
    if result.create or result.delete or result.scale_down or strategy_of(owner) == "OnDelete":
        return result
    for ordinal in range(start + size - 1, start + partition_of(owner) - 1, -1):
        pod = members[ordinal]
        if hash_label(pod) != revisions.update and not pods.is_deleting(pod):
            result.delete.append(pod)
            return result
        if not healthy(pod):
            return result
    return result


def _within(members: dict[int, Obj], start: int, size: int) -> list[Obj]:
    return [members[o] for o in sorted(members) if start <= o < start + size]


def status(owner: Obj, owned: Sequence[Obj], revisions: Revisions, names: dict[str, str], now: dt.datetime) -> Obj:
    """The status that the pods give; `names` maps revision hashes to the names of their ControllerRevisions."""
    min_ready = int(owner["spec"].get("minReadySeconds") or 0)
    created = [p for p in owned if ordinal_of(owner, p) is not None and not pods.is_terminal(p)]
    alive = [p for p in created if not pods.is_deleting(p)]
    ready = [p for p in alive if pods.is_ready(p)]
    result: Obj = {
        "observedGeneration": metadata(owner).get("generation", 0),
        "replicas": len(created),
        "readyReplicas": len(ready),
        "currentReplicas": sum(hash_label(p) == revisions.current for p in alive),
        "updatedReplicas": sum(hash_label(p) == revisions.update for p in alive),
        "availableReplicas": sum(pods.is_available(p, min_ready, now) for p in ready),
        "currentRevision": names[revisions.current],
        "updateRevision": names[revisions.update],
        "collisionCount": int((owner.get("status") or {}).get("collisionCount") or 0),
    }
    done = strategy_of(owner) == "RollingUpdate" and result["updatedReplicas"] == result["replicas"] == len(ready)
    if done and result["replicas"] == replicas_of(owner):
        result["currentRevision"] = result["updateRevision"]
        result["currentReplicas"] = result["updatedReplicas"]
    always = ("replicas", "availableReplicas", "collisionCount", "currentRevision", "updateRevision")
    result = {k: v for k, v in result.items() if v or k in always}
    before = owner.get("status") or {}
    return result | ({"conditions": before["conditions"]} if before.get("conditions") else {})

"""Which pods a DaemonSet has to make and to delete, and what its status is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lateen.cluster.controllers import pods
from lateen.cluster.controllers.daemon_set.nodes import should_run, target_node
from lateen.cluster.controllers.revisions import HASH_LABEL
from lateen.cluster.int_or_percent import resolve
from lateen.cluster.objects import Obj, labels_of, metadata, name_of


@dataclass(slots=True)
class Plan:
    """Nodes to make a pod on, pods to delete, and those among them that failed by themselves."""

    create: list[str] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)
    failed: list[Obj] = field(default_factory=list)


def by_target(owned: Iterable[Obj]) -> dict[str, list[Obj]]:
    found: dict[str, list[Obj]] = {}
    for pod in sorted(owned, key=lambda p: (pods.created_at(p), name_of(p))):
        found.setdefault(target_node(pod), []).append(pod)
    return found


def limits(daemon: Obj, desired: int) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) of a rolling update over `desired` nodes."""
    rolling = (daemon["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    surge = resolve(rolling.get("maxSurge", 0), desired, round_up=True)
    unavailable = resolve(rolling.get("maxUnavailable", 1), desired, round_up=True)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, unavailable


def is_rolling(daemon: Obj) -> bool:
    return str((daemon["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate")) == "RollingUpdate"


def plan(daemon: Obj, nodes: Sequence[Obj], owned: Iterable[Obj], hashed: str, now: dt.datetime) -> Plan:
    """One pod per wanted node; then, if nothing is amiss, the next step of a rolling update."""
    spec, result, there = daemon["spec"]["template"].get("spec") or {}, Plan(), by_target(owned)
    names = {name_of(node) for node in nodes}
    wanted = []
    for node in nodes:
        run, stay = should_run(spec, node)
        present = there.get(name_of(node), [])
        failed = [p for p in present if pods.is_terminal(p) and not pods.is_deleting(p)]
        if not stay:
            result.delete.extend(p for p in present if not pods.is_deleting(p))
            continue
        result.failed.extend(failed)
        result.delete.extend(failed)
        alive = [p for p in present if not pods.is_terminal(p)]
        if run:
            wanted.append(name_of(node))
        if run and not present:
            result.create.append(name_of(node))
        result.delete.extend(_duplicates(daemon, alive, hashed, len(names)))
    for target, present in there.items():
        # The node is gone, and so is any chance that the pod is ever placed.
        if target not in names:
            result.delete.extend(p for p in present if not pods.is_deleting(p) and not pods.node_of(p))
    if is_rolling(daemon) and not result.create and not result.delete:
        _roll(daemon, wanted, there, hashed, now, result)
    return result


def _duplicates(daemon: Obj, alive: Sequence[Obj], hashed: str, nodes: int) -> list[Obj]:
    """All but the oldest; a surging update has one of the old and one of the new template for a while."""
    active = [p for p in alive if not pods.is_deleting(p)]
    if limits(daemon, nodes)[0] == 0 or not is_rolling(daemon):
        return active[1:]
    new = [p for p in active if labels_of(p).get(HASH_LABEL) == hashed]
    old = [p for p in active if labels_of(p).get(HASH_LABEL) != hashed]
    return new[1:] + old[1:]


def _roll(
    daemon: Obj, wanted: Sequence[str], there: Mapping[str, Sequence[Obj]], hashed: str, now: dt.datetime, result: Plan
) -> None:
    surge, unavailable = limits(daemon, len(wanted))
    min_ready = int(daemon["spec"].get("minReadySeconds") or 0)
    missing, surging = 0, 0
    urgent: list[Obj] = []
    patient: list[Obj] = []
    urgent_nodes: list[str] = []
    patient_nodes: list[str] = []
    for name in wanted:
        active = [p for p in there.get(name, ()) if not pods.is_deleting(p) and not pods.is_terminal(p)]
        new = next((p for p in active if labels_of(p).get(HASH_LABEL) == hashed), None)
        old = next((p for p in active if labels_of(p).get(HASH_LABEL) != hashed), None)
        new_serves = new is not None and pods.is_available(new, min_ready, now)
        old_serves = old is not None and pods.is_available(old, min_ready, now)
        if surge > 0:
            surging += old is not None and new is not None
            if old is not None and new_serves:
                result.delete.append(old)
            elif old is not None and new is None:
                (patient_nodes if old_serves else urgent_nodes).append(name)
        elif old is None:
            missing += not new_serves
        elif not old_serves:
            urgent.append(old)
            missing += 1
        else:
            patient.append(old)
    if surge > 0:
        result.create.extend(urgent_nodes + patient_nodes[: max(0, surge - surging)])
    else:
        result.delete.extend(urgent + patient[: max(0, unavailable - missing)])


def status(daemon: Obj, nodes: Sequence[Obj], owned: Iterable[Obj], hashed: str, now: dt.datetime) -> Obj:
    """The status that nodes and pods give."""
    spec, there = daemon["spec"]["template"].get("spec") or {}, by_target(owned)
    min_ready = int(daemon["spec"].get("minReadySeconds") or 0)
    desired = current = misplaced = ready = available = updated = 0
    for node in nodes:
        present = [p for p in there.get(name_of(node), ()) if pods.is_active(p)]
        run, _ = should_run(spec, node)
        if not run:
            misplaced += bool(present)
            continue
        desired += 1
        if not present:
            continue
        current += 1
        ready += any(pods.is_ready(p) for p in present)
        available += any(pods.is_available(p, min_ready, now) for p in present)
        updated += any(labels_of(p).get(HASH_LABEL) == hashed for p in present)
    result: Obj = {
        "currentNumberScheduled": current,
        "numberMisscheduled": misplaced,
        "desiredNumberScheduled": desired,
        "numberReady": ready,
        "observedGeneration": metadata(daemon).get("generation", 0),
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
        "numberUnavailable": desired - available,
    }
    always = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    result = {k: v for k, v in result.items() if v or k in always}
    before = daemon.get("status") or {}
    return result | {k: before[k] for k in ("collisionCount", "conditions") if before.get(k)}

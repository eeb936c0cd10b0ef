"""Sorting endpoints into EndpointSlices with as few changes to the present ones as can be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lateen.cluster.controllers.endpoints.members import Member, Port
from lateen.cluster.objects import Obj, annotations_of, labels_of

MAX_ENDPOINTS = 100

_Group = tuple[str, tuple[Port, ...]]


@dataclass(slots=True)
class SliceChanges:
    """What to write. Created slices have no metadata but what the caller gives them."""

    create: list[Obj] = field(default_factory=list)
    update: list[Obj] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)


def _ports_json(ports: Sequence[Port]) -> list[Obj]:
    found = []
    for port in ports:
        entry: Obj = {"name": port.name, "protocol": port.protocol, "port": port.number}
        if port.app_protocol:
            entry["appProtocol"] = port.app_protocol
        found.append(entry)
    return found


def _ports_of(slice_: Obj) -> tuple[Port, ...]:
    return tuple(
        sorted(
            Port(p.get("name") or "", p.get("protocol") or "TCP", int(p.get("port") or 0), p.get("appProtocol") or "")
            for p in slice_.get("ports") or ()
        )
    )


def _identity(endpoint: Obj) -> tuple[str, ...]:
    target = endpoint.get("targetRef") or {}
    return (target.get("uid", ""), *endpoint.get("addresses", ()))


def reconcile(
    meta: Obj, present: Iterable[Obj], members: Iterable[Member], families: Sequence[str], *, placeholder: bool = True
) -> SliceChanges:
    """How `present` become slices of `members`, each with the labels and annotations of `meta`.

    A family without endpoints keeps one slice without any (`placeholder`), so that its Service is known to have none.
    """
    wanted: dict[_Group, dict[tuple[str, ...], Obj]] = {}
    for member in members:
        group = (member.family, tuple(sorted(member.ports)))
        wanted.setdefault(group, {})[_identity(member.endpoint)] = member.endpoint
    if placeholder:
        for family in families:
            if not any(group[0] == family for group in wanted):
                wanted[(family, ())] = {}
    existing: dict[_Group, list[Obj]] = {}
    for slice_ in present:
        existing.setdefault((slice_.get("addressType", ""), _ports_of(slice_)), []).append(slice_)
    changes = SliceChanges()
    for group, slices in existing.items():
        if group not in wanted:
            changes.delete.extend(slices)
    for group, endpoints in wanted.items():
        _reconcile_group(meta, group, existing.get(group, []), endpoints, changes)
    return changes


def _reconcile_group(
    meta: Obj, group: _Group, present: Sequence[Obj], wanted: dict[tuple[str, ...], Obj], changes: SliceChanges
) -> None:
    missing = dict(wanted)
    kept: list[tuple[Obj, list[Obj]]] = []
    for slice_ in present:
        staying = []
        for endpoint in slice_.get("endpoints") or ():
            fresh = missing.pop(_identity(endpoint), None)
            if fresh is not None:
                staying.append(fresh)
        kept.append((slice_, staying))
    rest = list(missing.values())
    # Fill the fullest first: few slices, few of them written.
    for _, staying in sorted(kept, key=lambda pair: -len(pair[1])):
        room = MAX_ENDPOINTS - len(staying)
        staying.extend(rest[:room])
        del rest[:room]
    survivors = [pair for pair in kept if pair[1]]
    if not survivors and not rest and kept:
        survivors = kept[:1]
    for slice_, staying in kept:
        if not any(slice_ is survivor for survivor, _ in survivors):
            changes.delete.append(slice_)
        elif _differs(meta, slice_, staying):
            changes.update.append(_updated(meta, slice_, staying))
    batches = [rest[start : start + MAX_ENDPOINTS] for start in range(0, len(rest), MAX_ENDPOINTS)]
    if not batches and not survivors:
        batches = [[]]
    for batch in batches:
        changes.create.append(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": meta,
                "addressType": group[0],
                "endpoints": batch,
                "ports": _ports_json(group[1]),
            }
        )


def _differs(meta: Obj, slice_: Obj, endpoints: Sequence[Obj]) -> bool:
    return list(slice_.get("endpoints") or ()) != list(endpoints) or labels_of(slice_) != meta.get("labels", {})


def _updated(meta: Obj, slice_: Obj, endpoints: Sequence[Obj]) -> Obj:
    annotations = {**annotations_of(slice_), **meta.get("annotations", {})}
    after = {**slice_["metadata"], "labels": meta.get("labels", {}), "annotations": annotations}
    return {**slice_, "metadata": after, "endpoints": list(endpoints)}

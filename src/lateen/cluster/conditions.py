"""Status conditions: finding and setting them without needless changes."""

from __future__ import annotations

from collections.abc import Iterable

from lateen.cluster.objects import Obj


def find(conditions: Iterable[Obj] | None, type: str) -> Obj | None:
    return next((c for c in conditions or () if c.get("type") == type), None)


def is_true(obj: Obj, type: str) -> bool:
    """Whether the object's status says so."""
    condition = find((obj.get("status") or {}).get("conditions"), type)
    return condition is not None and condition.get("status") == "True"


def with_condition(
    conditions: Iterable[Obj] | None, type: str, status: str, reason: str, message: str, now: str, **extra: object
) -> list[Obj]:
    """The conditions with this one set; its transition time changes only when its status does."""
    before = find(conditions, type)
    kept = before is not None and before.get("status") == status
    new: Obj = {
        "type": type,
        "status": status,
        **extra,
        "lastTransitionTime": before.get("lastTransitionTime", now) if before is not None and kept else now,
        "reason": reason,
        "message": message,
    }
    if before is not None and all(before.get(k) == v for k, v in new.items()):
        return list(conditions or ())
    if before is None:
        return [*(conditions or ()), new]
    return [new if c.get("type") == type else c for c in conditions or ()]


def without(conditions: Iterable[Obj] | None, type: str) -> list[Obj]:
    return [c for c in conditions or () if c.get("type") != type]

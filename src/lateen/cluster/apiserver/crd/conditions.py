"""Conditions of a CustomResourceDefinition's status."""

from __future__ import annotations

from lateen.cluster.objects import Obj


def set_condition(crd: Obj, kind: str, status: str, reason: str, message: str, now: str) -> bool:
    """Sets one condition in place; its transition time changes with its status. Returns whether anything changed."""
    conditions = crd.setdefault("status", {}).setdefault("conditions", [])
    old = next((condition for condition in conditions if condition.get("type") == kind), None)
    since = now if old is None or old.get("status") != status else old.get("lastTransitionTime", now)
    new = {"lastTransitionTime": since, "message": message, "reason": reason, "status": status, "type": kind}
    if old == new:
        return False
    if old is None:
        conditions.append(new)
    else:
        conditions[conditions.index(old)] = new
    return True


def is_true(crd: Obj, kind: str) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(condition.get("type") == kind and condition.get("status") == "True" for condition in conditions)

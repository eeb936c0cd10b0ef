"""Conditions of a CustomResourceDefinition's status."""

from __future__ import annotations

from lateen.cluster.conditions import with_condition
from lateen.cluster.objects import Obj


def set_condition(crd: Obj, kind: str, status: str, reason: str, message: str, now: str) -> bool:
    """Sets one condition in place. Returns whether anything changed."""
    present = crd.setdefault("status", {}).get("conditions") or []
    crd["status"]["conditions"] = with_condition(present, kind, status, reason, message, now)
    return bool(crd["status"]["conditions"] != present)

"""Taints and tolerations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lateen.cluster.objects import Obj


def tolerates(toleration: Obj, taint: Obj) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def taints_of(node: Obj) -> list[Obj]:
    return (node.get("spec") or {}).get("taints") or []


def untolerated(tolerations: Iterable[Obj], taints: Iterable[Obj], effects: Sequence[str]) -> Obj | None:
    """The first taint of those effects that no toleration covers."""
    listed = list(tolerations)
    for taint in taints:
        if taint.get("effect") in effects and not any(tolerates(t, taint) for t in listed):
            return taint
    return None

"""Which names a CustomResourceDefinition gets: those that no other definition of its group has.

Source: k8s.io/apiextensions-apiserver `controller/status` (the naming condition controller).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lateen.cluster.objects import Obj


class Naming(NamedTuple):
    """The names accepted now, and the first conflict's reason and message (empty without conflict)."""

    accepted: Obj
    reason: str = ""
    message: str = ""


def accept_names(crd: Obj, others: Iterable[Obj]) -> Naming:
    """`others` are the definitions with the same group, without `crd` itself."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        taken = (other.get("status") or {}).get("acceptedNames") or {}
        resources |= {taken.get("plural", ""), taken.get("singular", ""), *(taken.get("shortNames") or ())}
        kinds |= {taken.get("kind", ""), taken.get("listKind", "")}
    wanted = crd["spec"]["names"]
    had = (crd.get("status") or {}).get("acceptedNames") or {}
    accepted = dict(had)
    reason = message = ""
    for key, used, conflict in (
        ("plural", resources, "PluralConflict"),
        ("singular", resources, "SingularConflict"),
        ("kind", kinds, "KindConflict"),
        ("listKind", kinds, "ListKindConflict"),
    ):
        name = wanted.get(key, "")
        if name != had.get(key) and name in used:
            reason, message = conflict, f'"{name}" is already in use'
        else:
            accepted[key] = name
    short_names = wanted.get("shortNames") or []
    clashes = [name for name in short_names if name in resources and name not in (had.get("shortNames") or ())]
    if clashes:
        reason, message = "ShortNamesConflict", f'"{clashes[0]}" is already in use'
    else:
        _set(accepted, "shortNames", short_names)
    _set(accepted, "categories", wanted.get("categories") or [])
    return Naming(accepted, reason, message)


def _set(names: Obj, key: str, value: list[str]) -> None:
    if value:
        names[key] = value
    else:
        names.pop(key, None)

"""What to do with an object, given what became of its owners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from lateen.cluster.client.api import Propagation
from lateen.cluster.controllers.garbage.graph import FOREGROUND, ORPHAN, Node
from lateen.cluster.objects import Obj


class Fate(Enum):
    """What became of an owner."""

    SOLID = "it is there"
    ABSENT = "it is gone"
    WAITING = "it is being deleted and waits for its dependents"


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object."""

    propagation: Propagation


@dataclass(frozen=True, slots=True)
class DropOwners:
    """Keep the object; forget the owners that are gone."""

    keep: tuple[Obj, ...]


def decide(node: Node, fates: Sequence[tuple[Obj, Fate]], dependents: Sequence[Node]) -> Delete | DropOwners | None:
    """One solid owner keeps an object; without any, it goes the way its owners went."""
    solid = tuple(owner for owner, fate in fates if fate is Fate.SOLID)
    if not fates or len(solid) == len(fates):
        return None
    if solid:
        return DropOwners(solid)
    if any(fate is Fate.WAITING for _, fate in fates) and dependents:
        return Delete("Foreground")
    if ORPHAN in node.finalizers:
        return Delete("Orphan")
    if FOREGROUND in node.finalizers:
        return Delete("Foreground")
    return Delete("Background")

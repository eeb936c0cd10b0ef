"""The endpoints of a service serialised once, for all its assignments: a subset only selects and joins."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress

import msgspec

from lateen.engine import Reader, query
from lateen.model.endpoint import Endpoint, Health, Locality
from lateen.model.endpoints import endpoints_by_port, is_place
from lateen.model.proxy import Labels
from lateen.model.service import ServiceKey
from lateen.translate.endpoints.groups import Group
from lateen.translate.endpoints.wire_form import KnownMetadata, member


class Part(msgspec.Struct, frozen=True):
    """The endpoints of a port in one locality."""

    group: Group[bytes]
    kinds: tuple[int, ...]
    """Of each member: which of `Prepared.labels` it has."""
    weights: tuple[int, ...]
    """Of each member."""


class Prepared(msgspec.Struct, frozen=True):
    """The endpoints of a port that take new requests and are reached directly, by locality."""

    labels: tuple[frozenset[tuple[str, str]], ...] = ()
    """All that occur."""
    parts: tuple[Part, ...] = ()

    def groups(self, subset: Labels) -> list[Group[bytes]]:
        """The endpoints that carry all of these labels, none of which is about places."""
        if not subset:
            return [part.group for part in self.parts]
        chosen = [labels.issuperset(subset) for labels in self.labels]
        found: list[Group[bytes]] = []
        for part in self.parts:
            selected = [chosen[kind] for kind in part.kinds]
            weight = sum(compress(part.weights, selected))
            if weight:
                found.append(Group(part.group.locality, 0, weight, tuple(compress(part.group.members, selected))))
        return found


NOTHING = Prepared()


@query
def prepared(db: Reader, key: ServiceKey) -> Mapping[int, Prepared]:
    """The endpoints of a service by its ports."""
    known: KnownMetadata = {}
    return {port: _prepared(listed, known) for port, listed in endpoints_by_port(db, key).items()}


def _prepared(listed: tuple[Endpoint, ...], known: KnownMetadata) -> Prepared:
    kinds: dict[Labels, int] = {}
    places: dict[Locality, tuple[list[bytes], list[int], list[int]]] = {}
    for each in listed:
        if each.health is not Health.HEALTHY or not each.address:
            continue
        place = places.get(each.locality)
        if place is None:
            place = places[each.locality] = ([], [], [])
        members, found, weights = place
        weight = each.weight or 1
        members.append(member(each, weight, known))
        found.append(kinds.setdefault(each.labels, len(kinds)))
        weights.append(weight)
    parts = tuple(
        [
            Part(Group(locality, 0, sum(weights), tuple(members)), tuple(found), tuple(weights))
            for locality, (members, found, weights) in sorted(places.items())
        ]
    )
    return Prepared(tuple([frozenset(labels) for labels in kinds]), parts)


def selects_by_place(subset: Labels) -> bool:
    """Whether a subset asks for places of endpoints, which are not among their labels."""
    return any(is_place(name) for name, _ in subset)

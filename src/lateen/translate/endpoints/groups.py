"""Endpoints in groups, as Envoy takes them: each with one locality, one weight and one priority."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Generic, NamedTuple, TypeVar

from lateen.model.endpoint import Endpoint, Locality
from lateen.translate.endpoints.spread import Spread, locality_matches

M = TypeVar("M")


class Weighted(NamedTuple):
    """An endpoint with its part of the traffic of its group."""

    endpoint: Endpoint
    weight: int


class Group(NamedTuple, Generic[M]):
    """Endpoints of one locality and priority."""

    locality: Locality
    priority: int
    """0 is the highest; there are no gaps."""
    weight: int
    members: tuple[M, ...]


def grouped(members: Iterable[Weighted], spread: Spread | None) -> tuple[Group[Weighted], ...]:
    """The endpoints by locality and priority, sorted by locality, then priority."""
    groups = by_locality(members)
    if spread is not None and spread.priorities and not spread.shares:
        groups = _without_gaps([part for group in groups for part in _split(group, spread.priorities)])
    return placed(groups, spread)


def by_locality(members: Iterable[Weighted]) -> list[Group[Weighted]]:
    """The endpoints by locality, all of one priority, sorted by locality."""
    found: dict[Locality, list[Weighted]] = {}
    for member in members:
        found.setdefault(member.endpoint.locality, []).append(member)
    return [Group(locality, 0, _total(found[locality]), tuple(found[locality])) for locality in sorted(found)]


def placed(groups: Sequence[Group[M]], spread: Spread | None) -> tuple[Group[M], ...]:
    """Groups by how near they are as a whole, whatever they hold: with the weights and priorities of a spread."""
    if spread is None:
        return tuple(groups)
    if spread.shares:
        return tuple(_shared_out(groups, spread.shares))
    if spread.near is not None:
        near = spread.near
        groups = [
            group._replace(
                priority=group.priority * _DISTANCES + distance(near, group.locality, spread.failover_region)
            )
            for group in groups
        ]
    return tuple(_without_gaps(groups))


_DISTANCES = 5


def distance(client: Locality, locality: Locality, failover_region: str) -> int:
    """0: the same subzone; 1: the same zone; 2: the same region; 3: another one; 4: another one, where a certain other
    region comes first."""
    if client.region != locality.region:
        return 4 if failover_region and locality.region != failover_region else 3
    if client.zone != locality.zone:
        return 2
    return 0 if client.subzone == locality.subzone else 1


def _shared_out(groups: Iterable[Group[M]], shares: tuple[tuple[str, int], ...]) -> Iterable[Group[M]]:
    """Gives every group its part of the percentages. A group belongs to the first pattern that matches it, the closest
    first; several groups of one pattern share by their own weights; those of none are left out."""
    ordered = sorted(shares, key=lambda share: (-share[0].count("/"), share[0].endswith("*"), share[0]))
    belonging: dict[str, list[Group[M]]] = {}
    for group in groups:
        pattern = next((pattern for pattern, _ in ordered if locality_matches(group.locality, pattern)), None)
        if pattern is not None:
            belonging.setdefault(pattern, []).append(group)
    given = [
        group._replace(weight=ceil(percent * group.weight / sum(each.weight for each in belonging[pattern])))
        for pattern, percent in shares
        if percent
        for group in belonging.get(pattern, ())
    ]
    return sorted(given, key=lambda group: group.locality)


def _split(group: Group[Weighted], priorities: tuple[tuple[str, str], ...]) -> Iterable[Group[Weighted]]:
    """A group by how far its endpoints agree with the labels."""
    by_priority: dict[int, list[Weighted]] = {}
    for member in group.members:
        by_priority.setdefault(_disagreement(member.endpoint, priorities), []).append(member)
    for priority in sorted(by_priority):
        members = tuple(by_priority[priority])
        yield Group(group.locality, priority, _total(members), members)


def _disagreement(endpoint: Endpoint, priorities: tuple[tuple[str, str], ...]) -> int:
    """0 when it agrees with all labels; the more, the earlier the first that differs."""
    for index, (name, value) in enumerate(priorities):
        if (endpoint.label(name) or "") != value:
            return len(priorities) - index
    return 0


def _without_gaps(groups: Sequence[Group[M]]) -> list[Group[M]]:
    """The same order of priorities, from 0 up without gaps, as Envoy demands."""
    ranks = {priority: rank for rank, priority in enumerate(sorted({group.priority for group in groups}))}
    return [group._replace(priority=ranks[group.priority]) for group in groups]


def _total(members: Iterable[Weighted]) -> int:
    return sum(member.weight for member in members)

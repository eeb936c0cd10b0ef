"""What a conversation has to tell next, whatever the protocol."""

from __future__ import annotations

from itertools import zip_longest
from typing import NamedTuple

from lateen.translate.resource import Resource, ResourceType
from lateen.xds.conversation import Conversation
from lateen.xds.difference import NO_NAMES, Difference, Step
from lateen.xds.parcel import Parcels

REMOVED_LATE = frozenset({ResourceType.CDS, ResourceType.EDS, ResourceType.SDS, ResourceType.ECDS})
"""Referred to by listeners and routes, which must have moved on before these go."""


class Plan(NamedTuple):
    differences: tuple[Difference, ...]
    """Of each view."""
    own: tuple[Resource, ...] | None
    """What to send instead of the differences' resources, where this session is a case of its own."""
    removed: dict[str, Resource]
    """What the proxy has, and is gone from all its views, with what it was."""
    missing: frozenset[str]
    """What the proxy asked for by name and does not exist."""

    @property
    def names(self) -> frozenset[str]:
        """Of the resources to send."""
        if self.own is not None:
            return frozenset(resource.name for resource in self.own)
        telling = [difference.names for difference in self.differences if difference.resources]
        # One of the differences' own sets where possible: it is shared with all sessions that take the same step.
        return telling[0] if len(telling) == 1 else NO_NAMES.union(*telling)


def plan(conversation: Conversation, parcels: Parcels) -> Plan:
    """From what the proxy has been sent to what there is; the conversation is not changed."""
    made = _beginning(conversation, parcels) if conversation.before is None else _next(conversation, parcels)
    absent = conversation.asked.difference(*(collection.resources for collection in conversation.collections))
    # What is retained is told to be gone in its time, asked about or not.
    missing = frozenset(
        name
        for name in absent
        if name not in made.removed and name not in conversation.retained and not _is_kept(conversation, name)
    )
    return made._replace(missing=missing)


def _is_kept(conversation: Conversation, name: str) -> bool:
    """Whether the proxy came with something that cannot be made at present: better than nothing."""
    return name in (conversation.versions or ()) and conversation.is_listed(name)


def _beginning(conversation: Conversation, parcels: Parcels) -> Plan:
    subscription, versions = conversation.subscription, conversation.versions
    assert subscription is not None
    differences = tuple(
        parcels.difference(
            None, collection, Step(None, (collection.serial, collection.generation), None, subscription, NO_NAMES)
        )
        for collection in conversation.collections
    )
    if not versions:
        return Plan(differences, None, {}, NO_NAMES)
    own = tuple(
        resource
        for difference in differences
        for resource in difference.resources
        if versions.get(resource.name) != resource.version or resource.name in conversation.resend
    )
    removed = {
        name: Resource(name, version, b"")
        for name, version in sorted(versions.items())
        if subscription.matches(name) and not conversation.is_listed(name)
    }
    return Plan(differences, own, removed, NO_NAMES)


def _next(conversation: Conversation, parcels: Parcels) -> Plan:
    after, before = conversation.subscription, conversation.before
    assert after is not None
    forced = conversation.resend | conversation.asked if conversation.asked else conversation.resend
    differences = []
    for held, target in zip_longest(conversation.held, conversation.collections):
        source = held.feed.collection if held is not None else None
        at = (source.serial, held.generation) if source is not None else None
        to = (target.serial, target.generation) if target is not None else None
        step = Step(at, to, before if source is not None else None, after, forced if source is not None else NO_NAMES)
        differences.append(parcels.difference(source, target, step))
    had = dict(conversation.retained)
    for difference in differences:
        had.update(difference.removed)
    back = {name: old for name, old in had.items() if conversation.exists(name)}
    removed = {name: old for found in differences for name, old in found.removed.items() if name not in back}
    own = _without_what_is_back(conversation, differences, back, forced) if back else None
    return Plan(tuple(differences), own, removed, NO_NAMES)


def _without_what_is_back(
    conversation: Conversation, differences: list[Difference], back: dict[str, Resource], forced: frozenset[str]
) -> tuple[Resource, ...]:
    """Something was gone and is there again (or in another view) before the proxy was told: it may still be right."""
    after = conversation.subscription
    assert after is not None
    found = {resource.name: resource for difference in differences for resource in difference.resources}
    for name, old in back.items():
        now = next(c.resources[name] for c in conversation.collections if name in c.resources)
        if not after.matches(name) or (now.version == old.version and name not in forced):
            found.pop(name, None)
        else:
            found[name] = now
    return tuple(found[name] for name in sorted(found))

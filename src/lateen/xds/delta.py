"""The incremental protocol (DeltaDiscoveryRequest and its responses)."""

from __future__ import annotations

from lateen.translate.resource import ResourceType
from lateen.xds.conversation import Conversation
from lateen.xds.parcel import Parcel, Parcels
from lateen.xds.plan import REMOVED_LATE, Plan
from lateen.xds.request import WILDCARD, DeltaRequest, Request
from lateen.xds.subscription import Subscription, Subscriptions

WILDCARD_BY_DEFAULT = frozenset({ResourceType.CDS, ResourceType.LDS})
"""Types of which an empty first subscription means all."""


class DeltaProtocol:
    name = "delta"
    can_divide = True
    """A response may have any part of what is new."""
    removed_late = REMOVED_LATE
    """Types whose removals wait until nothing refers to them."""

    def subscription(
        self, conversation: Conversation, request: Request, subscriptions: Subscriptions
    ) -> Subscription | None:
        """What the proxy is subscribed to from now on; None: as before. Notes what it is owed."""
        assert isinstance(request, DeltaRequest)
        before = conversation.subscription
        subscribe, unsubscribe = set(request.subscribe), set(request.unsubscribe)
        if before is None:
            wildcard = WILDCARD in subscribe or (not subscribe and request.type in WILDCARD_BY_DEFAULT)
            conversation.must_answer = True
            conversation.versions = dict(request.initial_versions) or None
            conversation.asked = frozenset(subscribe - {WILDCARD})
            return subscriptions.of(wildcard, conversation.asked)
        if not subscribe and not unsubscribe:
            return None
        wildcard = (before.wildcard and WILDCARD not in unsubscribe) or WILDCARD in subscribe
        named = subscribe - {WILDCARD}
        if conversation.versions:
            # What it came with and let go of before the first answer, it has no more.
            kept = {name: version for name, version in conversation.versions.items() if name not in unsubscribe}
            conversation.versions = kept or None
        # What a wildcard still covers after it is unsubscribed by name must be said again (or be said to be gone).
        covered = (unsubscribe & before.names) - named if wildcard else set()
        conversation.asked = ((conversation.asked - unsubscribe) | named | covered) - {WILDCARD}
        return subscriptions.of(wildcard, (before.names - unsubscribe) | named)

    def compose(self, conversation: Conversation, plan: Plan, parcels: Parcels) -> list[Parcel]:
        """What tells a plan. Nothing, when there is nothing to tell."""
        type_ = conversation.type
        at_once = type_ not in self.removed_late
        found = []
        if plan.own is not None:
            if plan.own or (at_once and plan.removed):
                found.append(parcels.delta(type_, plan.own, plan.removed if at_once else ()))
        else:
            found.extend(
                parcels.of_difference(type_, difference, at_once)
                for difference in plan.differences
                if difference.resources or (at_once and difference.removed)
            )
        if plan.missing:
            found.append(parcels.removal(type_, plan.missing))
        if not found and conversation.must_answer:
            found.append(parcels.removal(type_, frozenset()))
        return found

    def removals(self, conversation: Conversation, parcels: Parcels) -> list[Parcel]:
        """What tells that all that is retained is gone."""
        return [parcels.removal(conversation.type, frozenset(conversation.retained))]

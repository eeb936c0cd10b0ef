"""The state-of-the-world protocol (DiscoveryRequest and its responses).

Of clusters and listeners every response is the whole state, and what it lacks is thereby removed. Of all other types a
response has only what is new, and nothing can be removed: proxies drop what nothing refers to.
"""

from __future__ import annotations

from lateen.translate.resource import ResourceType
from lateen.xds.conversation import Conversation
from lateen.xds.delta import WILDCARD_BY_DEFAULT
from lateen.xds.parcel import Parcel, Parcels
from lateen.xds.plan import Plan
from lateen.xds.request import WILDCARD, Request, SotwRequest
from lateen.xds.subscription import Subscription, Subscriptions

WHOLE = frozenset({ResourceType.CDS, ResourceType.LDS})


class SotwProtocol:
    name = "sotw"
    can_divide = False
    removed_late = frozenset({ResourceType.CDS})

    def subscription(
        self, conversation: Conversation, request: Request, subscriptions: Subscriptions
    ) -> Subscription | None:
        """What the proxy is subscribed to from now on; None: as before, or said before it had the last response."""
        assert isinstance(request, SotwRequest)
        before = conversation.subscription
        if before is not None and request.nonce != conversation.last:
            return None
        names = frozenset(request.names) - {WILDCARD}
        wildcard = WILDCARD in request.names or (
            not request.names and request.type in WILDCARD_BY_DEFAULT and not conversation.named
        )
        conversation.named = conversation.named or bool(request.names)
        if before is None:
            # Which version it says to have tells nothing: what it rejected in part has that of before.
            conversation.must_answer = True
        else:
            conversation.asked = (conversation.asked | (names - before.names)) & names
        found = subscriptions.of(wildcard, names)
        return None if found is before else found

    def compose(self, conversation: Conversation, plan: Plan, parcels: Parcels) -> list[Parcel]:
        """What tells a plan. Nothing, when there is nothing to tell."""
        type_, subscription = conversation.type, conversation.subscription
        assert subscription is not None
        told = conversation.must_answer or bool(plan.names)
        if type_ in WHOLE:
            removed = bool(plan.removed) and type_ not in self.removed_late
            if not (told or removed):
                return []
            retained = {**conversation.retained, **(plan.removed if type_ in self.removed_late else {})}
            kept = tuple(r for name, r in sorted(retained.items()) if not conversation.exists(name))
            return [parcels.full(type_, conversation.collections, subscription, kept)]
        if not told:
            return []
        if conversation.before is None:
            return [parcels.full(type_, conversation.collections, subscription, ())]
        resources = plan.own
        if resources is None:
            resources = tuple(r for difference in plan.differences for r in difference.resources)
        return [parcels.sotw(type_, parcels.version(conversation.collections, subscription), resources)]

    def removals(self, conversation: Conversation, parcels: Parcels) -> list[Parcel]:
        """The whole state without what was retained."""
        assert conversation.subscription is not None
        return [parcels.full(conversation.type, conversation.collections, conversation.subscription, ())]

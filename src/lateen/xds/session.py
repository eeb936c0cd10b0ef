"""One proxy's stream as a state machine: requests in, responses out, no I/O and no clock of its own.

Order is make before break. What others refer to (clusters, then endpoints and secrets) is sent first and without
waiting, since Envoy acknowledges a cluster only after its endpoints. Listeners and routes follow when that has been
acknowledged (or rejected, or `patience` is over), and what nothing refers to any more is removed last; never before a
proxy has answered anything, since what it came with may still refer to it and not be asked about yet.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

from lateen.model.proxy import Proxy
from lateen.translate.resource import Resource, ResourceType
from lateen.xds.conversation import Conversation, Outstanding
from lateen.xds.delta import DeltaProtocol
from lateen.xds.difference import NO_NAMES
from lateen.xds.inventory import Inventory
from lateen.xds.limits import Limits
from lateen.xds.parcel import Parcel, Parcels
from lateen.xds.plan import plan
from lateen.xds.rejection import SHOWN, Rejection, blamed, divided, is_of_each, origins
from lateen.xds.request import BadRequest, DeltaRequest, Request
from lateen.xds.sotw import SotwProtocol

FIRST = (ResourceType.CDS, ResourceType.EDS, ResourceType.SDS)
"""Sent without waiting, in this order."""
AWAITED = (ResourceType.CDS, ResourceType.EDS)
"""To be acknowledged before those that refer to them are sent."""
SECOND = (ResourceType.LDS, ResourceType.RDS, ResourceType.ECDS)


class Session:
    """`receive` takes a request; `advance` gives what is to be sent now. Call `advance` after a request, after the
    inventory has published something this session follows, and when `deadline` has come.
    """

    def __init__(
        self,
        proxy: Proxy,
        protocol: DeltaProtocol | SotwProtocol,
        inventory: Inventory,
        parcels: Parcels,
        limits: Limits,
        rejected: Callable[[Rejection], None] = lambda _: None,
    ) -> None:
        self.proxy = proxy
        self.protocol = protocol
        self.rejections: dict[ResourceType, Rejection] = {}
        """The latest of each type, until something of that type is accepted."""
        self.deadline: float | None = None
        """When to call `advance` even if nothing happens (a time as given to `advance`)."""
        self.pushes = 0
        self._inventory = inventory
        self._parcels = parcels
        self._limits = limits
        self._rejected = rejected
        self._conversations: dict[ResourceType, Conversation] = {}
        self._closed = False
        self._has_answered = False
        """It has acknowledged or rejected something: then all has been heard that it began the stream with."""
        self._views = inventory.follow_views(proxy, self).views

    # --- in --------------------------------------------------------------------------------------------------

    def receive(self, request: Request) -> None:
        """Raises BadRequest when the request goes beyond the limits."""
        names = request.subscribe if isinstance(request, DeltaRequest) else request.names
        self._check_count(request.type, len(names))
        if any(len(name) > self._limits.name_length for name in names):
            raise BadRequest(f"a name is longer than {self._limits.name_length} characters")
        conversation = self._conversation(request.type)
        if request.nonce:
            self._acknowledge(conversation, request)
        subscription = self.protocol.subscription(conversation, request, self._inventory.subscriptions)
        if subscription is not None:
            self._check_count(request.type, len(subscription.names))
            feeds = tuple(self._inventory.feed(request.type, view) for view in self._views or ())
            conversation.want(subscription, feeds, self)

    def views_changed(self, views: tuple[Hashable, ...]) -> None:
        """The inventory found the proxy's views (anew)."""
        self._views = views
        for conversation in self._conversations.values():
            if conversation.subscription is not None:
                feeds = tuple(self._inventory.feed(conversation.type, view) for view in views)
                conversation.want(conversation.subscription, feeds, self)

    def _conversation(self, type_: ResourceType) -> Conversation:
        found = self._conversations.get(type_)
        if found is None:
            found = self._conversations[type_] = Conversation(type_)
        return found

    def _acknowledge(self, conversation: Conversation, request: Request) -> None:
        # The one that is waited for, or one that was: a late answer is an answer.
        among = conversation.outstanding if request.nonce in conversation.outstanding else conversation.late
        outstanding = among.get(request.nonce)
        if outstanding is None:
            return
        self._has_answered = True
        outstanding.remaining -= 1
        outstanding.rejected = outstanding.rejected or request.error is not None
        is_last = among is conversation.outstanding or request.nonce == conversation.last
        if not outstanding.remaining:
            del among[request.nonce]
            if not outstanding.rejected and is_last:
                conversation.acknowledged = request.nonce
        if request.error is not None:
            self._reject(conversation, outstanding, request.error)
        elif not outstanding.remaining and outstanding.names and not conversation.outstanding and is_last:
            self.rejections.pop(request.type, None)

    def _reject(self, conversation: Conversation, response: Outstanding, message: str) -> None:
        names = response.names
        if names and self.protocol.can_divide and not is_of_each(message):
            # Nothing of the response may have been taken: what is right in it shall not suffer for what is not.
            conversation.unremoved |= frozenset(response.removed)
            if len(names) > 1:
                conversation.suspects += [part for part in divided(message, names) if part not in conversation.suspects]
                return
        guilty = blamed(message, names) or tuple(sorted(names))
        recipes = [r for name in guilty for feed in conversation.wanted if (r := feed.recipe(name)) is not None]
        shown = message if len(message) <= SHOWN else f"{message[: SHOWN - 3]}..."
        found = Rejection(self.proxy.id, conversation.type, guilty, shown, origins(self._inventory.engine, recipes))
        self.rejections[conversation.type] = found
        self._rejected(found)

    def _check_count(self, type_: ResourceType, count: int) -> None:
        if count > self._limits.names:
            raise BadRequest(f"{count} names of {type_.name} are asked for; the limit is {self._limits.names}")

    # --- out -------------------------------------------------------------------------------------------------

    def advance(self, now: float) -> list[bytes]:
        """What is to be sent at this time, in order. `now` is in seconds of any clock that does not go back."""
        if self._closed or self._views is None:
            return []
        if self.deadline is not None and now >= self.deadline:
            # Whatever has not been acknowledged will be no more waited for.
            self.deadline = None
            for conversation in self._conversations.values():
                conversation.give_up()
            found = [*self._tell(FIRST), *self._tell(SECOND)]
        else:
            found = list(self._tell(FIRST))
            if self._is_settled(AWAITED):
                found.extend(self._tell(SECOND))
        if self._has_answered and self._is_settled(AWAITED) and self._is_settled(SECOND):
            found.extend(self._tell_removals())
        if self._waits():
            if self.deadline is None:
                self.deadline = now + self._limits.patience
        else:
            self.deadline = None
        return found

    def _tell(self, types: tuple[ResourceType, ...]) -> Iterator[bytes]:
        for type_ in types:
            conversation = self._conversations.get(type_)
            if conversation is None or conversation.outstanding:
                continue
            if conversation.is_ready and conversation.has_news:
                yield from self._tell_news(conversation)
            if conversation.suspects or conversation.unremoved:
                yield from self._tell_again(conversation)

    def _tell_news(self, conversation: Conversation) -> Iterator[bytes]:
        type_ = conversation.type
        found = plan(conversation, self._parcels)
        parcels = self.protocol.compose(conversation, found, self._parcels)
        if conversation.retained or found.removed:
            self._retain(conversation, found.removed, found.missing)
        conversation.settle(self)
        if type_ is ResourceType.CDS:
            # Envoy warms what it is sent, and is not ready before it is sent the endpoints again.
            self._resend_endpoints(found.names)
        yield from self._send(conversation, parcels)

    def _tell_again(self, conversation: Conversation) -> Iterator[bytes]:
        """What a rejected response removed, and its parts, each by itself, to find which of them was at fault."""
        suspects, conversation.suspects = conversation.suspects, []
        removed, conversation.unremoved = conversation.unremoved, NO_NAMES
        subscription = conversation.subscription
        assert subscription is not None
        gone = frozenset(name for name in removed if subscription.matches(name) and not conversation.exists(name))
        if gone:
            yield from self._send(conversation, [self._parcels.removal(conversation.type, gone)])
        for names in suspects:
            resources = [
                resource
                for collection in conversation.collections
                for name in sorted(names)
                if subscription.matches(name) and (resource := collection.resources.get(name)) is not None
            ]
            if not resources:
                continue
            if conversation.type is ResourceType.CDS:
                self._resend_endpoints(frozenset(resource.name for resource in resources))
            yield from self._send(conversation, [self._parcels.delta(conversation.type, resources)])

    def _retain(self, conversation: Conversation, removed: dict[str, Resource], missing: frozenset[str]) -> None:
        if conversation.type not in self.protocol.removed_late:
            return
        subscription = conversation.subscription
        assert subscription is not None
        conversation.retained = {
            name: resource
            for name, resource in {**conversation.retained, **removed}.items()
            if name not in missing and subscription.matches(name) and not conversation.exists(name)
        }

    def _resend_endpoints(self, clusters: frozenset[str]) -> None:
        endpoints = self._conversation(ResourceType.EDS)
        endpoints.resend = endpoints.resend | clusters if endpoints.resend else clusters

    def _tell_removals(self) -> Iterator[bytes]:
        for type_ in ResourceType:
            conversation = self._conversations.get(type_)
            if conversation is not None and conversation.retained and not conversation.outstanding:
                parcels = self.protocol.removals(conversation, self._parcels)
                conversation.retained = {}
                yield from self._send(conversation, parcels)

    def _send(self, conversation: Conversation, parcels: list[Parcel]) -> Iterator[bytes]:
        for parcel in parcels:
            conversation.outstanding[parcel.nonce] = Outstanding(parcel)
            conversation.sent = parcel
            conversation.last = parcel.nonce
            self.pushes += 1
            yield from parcel.responses

    def _is_settled(self, types: tuple[ResourceType, ...]) -> bool:
        """Whether the proxy has (or has rejected) all there is of these types, as far as it speaks of them."""
        for type_ in types:
            conversation = self._conversations.get(type_)
            if conversation is None or conversation.subscription is None:
                continue
            if conversation.outstanding or conversation.suspects or conversation.unremoved:
                return False
            if not conversation.is_ready or conversation.has_news:
                return False
        return True

    def _waits(self) -> bool:
        return any(c.outstanding or (c.retained and c.subscription) for c in self._conversations.values())

    # --- telling ---------------------------------------------------------------------------------------------

    @property
    def views(self) -> tuple[Hashable, ...]:
        return self._views or ()

    def conversations(self) -> Iterator[Conversation]:
        """Of the types that the proxy has spoken of, for the debug endpoints."""
        return (c for c in self._conversations.values() if c.subscription is not None)

    def close(self) -> None:
        """Lets go of everything. Closing twice does nothing."""
        if not self._closed:
            self._closed = True
            for conversation in self._conversations.values():
                conversation.close(self)
            self._inventory.unfollow_views(self.proxy, self)

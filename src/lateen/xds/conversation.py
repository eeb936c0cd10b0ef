"""What one session and its proxy have said to each other of one type."""

from __future__ import annotations

from typing import NamedTuple

from lateen.translate.resource import Resource, ResourceType
from lateen.xds.collection import Collection
from lateen.xds.difference import NO_NAMES
from lateen.xds.feed import Feed
from lateen.xds.follower import Follower
from lateen.xds.parcel import Parcel
from lateen.xds.subscription import Subscription


class Held(NamedTuple):
    """What the proxy has been sent of one view: a collection as it was at one (pinned) generation."""

    feed: Feed
    generation: int


class Outstanding:
    """A parcel that has been sent and is not acknowledged yet."""

    __slots__ = ("names", "rejected", "remaining", "removed")

    def __init__(self, parcel: Parcel) -> None:
        self.names = parcel.names
        self.removed = parcel.removed
        self.remaining = len(parcel.responses)
        self.rejected = False
        """At least one of its responses was."""


LATE = 100
"""Parcels that are no more waited for and still known, of one conversation."""


class Conversation:
    """State only; `Session` decides when to send, and the dialect what."""

    __slots__ = (
        "acknowledged", "asked", "before", "held", "last", "late", "must_answer", "named", "outstanding", "resend",
        "retained", "sent", "subscription", "suspects", "type", "unremoved", "versions", "wanted",
    )  # fmt: skip

    def __init__(self, type_: ResourceType) -> None:
        self.type = type_
        self.subscription: Subscription | None = None
        """None: the proxy has not spoken of this type."""
        self.wanted: tuple[Feed, ...] = ()
        """Of the present views; leased for `subscription`."""
        self.before: Subscription | None = None
        """The subscription when last sent to; None: never."""
        self.held: tuple[Held, ...] = ()
        """Leased for `before`."""
        self.versions: dict[str, str] | None = None
        """What the proxy said at the beginning to have already; until the first answer."""
        self.must_answer = False
        """The next answer is due even if it says nothing."""
        self.named = False
        """The proxy has asked for something by name (which ends the wildcard meaning of an empty list)."""
        self.asked: frozenset[str] = NO_NAMES
        """Named by the proxy since the last answer: to be sent, or told to be missing."""
        self.resend: frozenset[str] = NO_NAMES
        """To be sent again although unchanged."""
        self.retained: dict[str, Resource] = {}
        """Gone, but not to be removed before what may refer to it has moved on."""
        self.outstanding: dict[str, Outstanding] = {}
        """By nonce."""
        self.late: dict[str, Outstanding] = {}
        """By nonce, those that are no more waited for: what the proxy says of them in the end counts all the same."""
        self.suspects: list[frozenset[str]] = []
        """Parts of a response that was rejected for an unknown one of its resources: each is to be sent by itself."""
        self.unremoved: frozenset[str] = NO_NAMES
        """Removed by such a response: to be told again."""
        self.last = ""
        """The nonce of the last response."""
        self.sent: Parcel | None = None
        """The last parcel, for the debug endpoints."""
        self.acknowledged = ""
        """The nonce of the last parcel acknowledged wholly."""

    @property
    def collections(self) -> tuple[Collection, ...]:
        """Those of the present views."""
        return tuple(feed.collection for feed in self.wanted)

    @property
    def is_ready(self) -> bool:
        """Whether all that is subscribed has been computed."""
        subscription = self.subscription
        return subscription is not None and all(feed.is_loaded(subscription) for feed in self.wanted)

    @property
    def has_news(self) -> bool:
        """Whether there may be something to send."""
        if self.must_answer or self.asked or self.resend or self.before is not self.subscription:
            return True
        if len(self.held) != len(self.wanted):
            return True
        return any(
            held.feed is not feed or held.generation != feed.collection.generation
            for held, feed in zip(self.held, self.wanted, strict=True)
        )

    def exists(self, name: str) -> bool:
        """Whether a present view has a resource of that name."""
        return any(name in feed.collection.resources for feed in self.wanted)

    def is_listed(self, name: str) -> bool:
        """Whether it exists or would, if only it could be made: what a proxy has of it is better than nothing."""
        return self.exists(name) or any(feed.recipe(name) is not None for feed in self.wanted)

    def sent_resources(self) -> list[Resource]:
        """All that the proxy has been sent and not been told to be gone, by name."""
        found = dict(self.retained)
        for held in self.held:
            found.update(held.feed.collection.at(held.generation))
        before = self.before
        return [found[name] for name in sorted(found) if before is not None and before.matches(name)]

    def want(self, subscription: Subscription, feeds: tuple[Feed, ...], follower: Follower) -> None:
        """Changes what is to be held."""
        for feed in feeds:
            feed.lease(subscription, follower)
        self._release_wanted(follower)
        self.subscription, self.wanted = subscription, feeds

    def settle(self, follower: Follower) -> None:
        """All that is wanted has been sent, as it is now."""
        assert self.subscription is not None
        old, before = self.held, self.before
        fresh = []
        for feed in self.wanted:
            feed.lease(self.subscription, follower)
            fresh.append(Held(feed, feed.collection.pin()))
        self.held, self.before = tuple(fresh), self.subscription
        _release(old, before, follower)
        self.versions = None
        self.must_answer = False
        self.asked = self.resend = NO_NAMES

    def give_up(self) -> None:
        """Waits no more for what is outstanding."""
        self.late |= self.outstanding
        self.outstanding.clear()
        while len(self.late) > LATE:
            del self.late[next(iter(self.late))]

    def close(self, follower: Follower) -> None:
        """Lets go of everything."""
        self._release_wanted(follower)
        _release(self.held, self.before, follower)
        self.wanted, self.held, self.before = (), (), None

    def _release_wanted(self, follower: Follower) -> None:
        if self.subscription is not None:
            for feed in self.wanted:
                feed.release(self.subscription, follower)


def _release(held: tuple[Held, ...], before: Subscription | None, follower: Follower) -> None:
    for feed, generation in held:
        assert before is not None
        feed.collection.unpin(generation)
        feed.release(before, follower)

"""Responses as bytes, made once and sent to every session that needs the same."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import blake2b
from itertools import count
from typing import TypeVar, cast

from lateen.translate.resource import Resource, ResourceType
from lateen.xds.collection import Collection
from lateen.xds.difference import Difference, Step, difference
from lateen.xds.subscription import Subscription
from lateen.xds.wire import delta_responses, sotw_response

V = TypeVar("V")

CHUNK = 256 * 1024
"""Bytes a response may have before it is split: a writer that is given more at once delays the others."""

State = tuple[tuple[int, int], ...]
"""(collection, generation) of each view."""


class Parcel:
    """Responses under one nonce. The bytes are the same object for all who are sent it."""

    __slots__ = ("names", "nonce", "removed", "responses", "version")

    def __init__(
        self,
        nonce: str,
        names: frozenset[str],
        removed: tuple[str, ...],
        responses: tuple[bytes, ...],
        version: str = "",
    ) -> None:
        self.nonce = nonce
        self.names = names
        """Of the resources in it."""
        self.removed = removed
        self.responses = responses
        """Each is to be acknowledged."""
        self.version = version
        """Of the whole state; in state-of-the-world alone."""


class Parcels:
    """Differences and parcels by what they are made of; the least recently used go when they exceed `limit` bytes."""

    def __init__(self, limit: int = 32 * 1024 * 1024, chunk: int = CHUNK) -> None:
        self.encoded = 0
        """Bytes of responses made since the start."""
        self._limit = limit
        self._chunk = chunk
        self._nonces = count(1)
        self._entries: OrderedDict[object, tuple[int, object]] = OrderedDict()
        self._size = 0

    # --- incremental -----------------------------------------------------------------------------------------

    def difference(self, source: Collection | None, target: Collection | None, step: Step) -> Difference:
        def make() -> tuple[Difference, int]:
            found = difference(source, target, step, lambda: _past(source, target, step))
            # Bodies count, since old ones may live on here alone; the bytes of a parcel are about as many.
            return found, 2 * sum(map(len, (r.body for r in found.resources))) + 100 * len(found.removed)

        return self._remember(step, make)

    def of_difference(self, type_: ResourceType, found: Difference, removals: bool) -> Parcel:
        """A difference as one delta parcel; with or without its removals."""
        parcel = found.parcels.get(removals)
        if parcel is None:
            parcel = found.parcels[removals] = self.delta(type_, found.resources, found.removed if removals else ())
        return parcel

    def delta(self, type_: ResourceType, resources: Iterable[Resource], removed: Iterable[str] = ()) -> Parcel:
        """A parcel of delta responses, for one session."""
        nonce, resources, removed = self._nonce(), tuple(resources), tuple(removed)
        responses = delta_responses(type_, nonce, resources, removed, self._chunk)
        self.encoded += sum(map(len, responses))
        return Parcel(nonce, frozenset(r.name for r in resources), removed, responses)

    def removal(self, type_: ResourceType, names: frozenset[str]) -> Parcel:
        """Removals alone. No names make the answer that says nothing."""

        def make() -> tuple[Parcel, int]:
            # The names themselves live on here too, and in the parcel.
            return self.delta(type_, (), sorted(names)), 2 * sum(map(len, names)) + 150 * len(names) + 100

        return self._remember((type_, names), make)

    # --- state of the world ----------------------------------------------------------------------------------

    def version(self, collections: tuple[Collection, ...], subscription: Subscription) -> str:
        """Hash of all that is subscribed: equal states have equal versions in every process."""

        def make() -> tuple[str, int]:
            state = sorted((r.name, r.version) for r in subscribed(collections, subscription))
            digest = blake2b(digest_size=8)
            for name, version in state:
                digest.update(f"{name}\\0{version}\\0".encode())
            return digest.hexdigest(), 100

        return self._remember(("version", state_of(collections), subscription), make)

    def full(
        self,
        type_: ResourceType,
        collections: tuple[Collection, ...],
        subscription: Subscription,
        retained: tuple[Resource, ...],
    ) -> Parcel:
        """Everything that is subscribed, and what is retained beside."""
        version = self.version(collections, subscription)
        kept = tuple((r.name, r.version) for r in retained)
        if kept:
            version = f"{version}+{blake2b(repr(kept).encode(), digest_size=8).hexdigest()}"

        def make() -> tuple[Parcel, int]:
            parcel = self.sotw(type_, version, (*subscribed(collections, subscription), *retained))
            return parcel, len(parcel.responses[0])

        return self._remember(("full", type_, state_of(collections), subscription, kept), make)

    def sotw(self, type_: ResourceType, version: str, resources: Iterable[Resource]) -> Parcel:
        """One state-of-the-world response."""
        nonce, resources = self._nonce(), tuple(resources)
        response = sotw_response(type_, nonce, version, resources)
        self.encoded += len(response)
        return Parcel(nonce, frozenset(r.name for r in resources), (), (response,), version)

    # --- remembering -----------------------------------------------------------------------------------------

    def _nonce(self) -> str:
        return f"{next(self._nonces):x}"

    def _remember(self, key: object, make: Callable[[], tuple[V, int]]) -> V:
        entry = self._entries.get(key)
        if entry is None:
            made, size = make()
            entry = self._entries[key] = (size, made)
            self._size += size
            while self._size > self._limit and len(self._entries) > 1:
                _, (freed, _) = self._entries.popitem(last=False)
                self._size -= freed
        else:
            self._entries.move_to_end(key)
        return cast(V, entry[1])


def state_of(collections: tuple[Collection, ...]) -> State:
    return tuple((collection.serial, collection.generation) for collection in collections)


def subscribed(collections: tuple[Collection, ...], subscription: Subscription) -> list[Resource]:
    """All that collections hold of a subscription, sorted by name within each."""
    found: list[Resource] = []
    for collection in collections:
        names = collection.resources if subscription.wildcard else subscription.names
        found.extend(collection.resources[name] for name in sorted(names) if name in collection.resources)
    return found


def _past(source: Collection | None, target: Collection | None, step: Step) -> dict[str, Resource | None]:
    assert source is not None
    assert step.source is not None
    if target is source:
        return source.since(step.source[1])
    return (target or _EMPTY).moved_from(source, step.source[1])


_EMPTY = Collection(0, ResourceType.CDS, None)
"""What a view that is gone has."""

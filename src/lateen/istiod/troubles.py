"""Carries what comes out while proxies are served over to status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from lateen.api.objects import ObjectRef
from lateen.api.schema.fault import Fault
from lateen.engine import Engine, QueryError
from lateen.model.identity_demands import identity_demands
from lateen.model.proxy import ClientView, EnvoyView, GrpcClientView, GrpcServerView
from lateen.status.troubles import Rejected, tell, troubles
from lateen.translate.catalog import listing
from lateen.translate.grpc.shortcomings import shortcomings
from lateen.translate.patches.apply import misfits_of
from lateen.translate.resource import ResourceType
from lateen.xds.server import XdsServer

_INTERVAL_SECONDS = 1.0
_NAMES = 5
"""Of rejected resources, in a message."""


class TroubleCarrier:
    """Looks at the proxies once in a while, if anything can have changed since the last look."""

    def __init__(
        self, engine: Engine, server: XdsServer, changed: Callable[[], None], *, proven_only: bool = False
    ) -> None:
        """With `proven_only` nobody who has not proven to be a proxy says what is wrong with the mesh."""
        self._proven_only = proven_only
        self._engine = engine
        self._server = server
        self._changed = changed
        self._told: dict[ObjectRef, tuple[Fault, ...]] = {}
        self._seen: tuple[int, ...] = ()

    async def run(self) -> None:
        while True:
            counters = self._server.counters
            now = (self._server.push.pushes, counters.requests, counters.streams, len(self._server.connections()))
            if now != self._seen:
                self._seen = now
                self.carry()
            await asyncio.sleep(_INTERVAL_SECONDS)

    def carry(self) -> None:
        errors = (each.error for each in self._server.inventory.errors())
        found = troubles(self._rejections(), errors, (*self._misfits(), *self._refused(), *self._shortcomings()))
        if tell(self._engine, self._told, found):
            self._told = found
            self._changed()

    def _rejections(self) -> list[Rejected]:
        found = []
        for connection in self._server.connections():
            if self._proven_only and not connection.proven:
                continue
            for rejection in connection.session.rejections.values():
                names = ", ".join(rejection.names[:_NAMES]) + (", ..." if len(rejection.names) > _NAMES else "")
                what = f"{rejection.type.name} {names}".strip()
                found.append(Rejected(rejection.proxy, what, rejection.message, rejection.origins))
        return found

    def _refused(self) -> Iterator[tuple[ObjectRef, Fault]]:
        """The mesh's TLS that was asked of proxies without certificates."""
        for feed in self._server.inventory.feeds():
            view = feed.collection.view
            if isinstance(view, GrpcClientView):
                view = view.sidecar
            if feed.collection.type is ResourceType.CDS and isinstance(view, ClientView):
                try:
                    yield from self._engine.get(identity_demands, view)
                except QueryError:
                    continue  # told of as an error of the listing

    def _shortcomings(self) -> Iterator[tuple[ObjectRef, Fault]]:
        """What gRPC applications without a proxy do not do of what they are told."""
        for feed in self._server.inventory.feeds():
            if isinstance(feed.collection.view, GrpcClientView | GrpcServerView):
                recipes = (feed.recipe(name) for name in sorted(feed.collection.resources))
                try:
                    yield from self._engine.get(shortcomings, tuple(each for each in recipes if each is not None))
                except QueryError:
                    continue  # told of as an error of the resource

    def _misfits(self) -> Iterator[tuple[ObjectRef, Fault]]:
        """Patches of EnvoyFilters that had to be left out of what is served."""
        for feed in self._server.inventory.feeds():
            type_, view = feed.collection.type, feed.collection.view
            if isinstance(view, EnvoyView) and view.patches:
                try:
                    yield from self._engine.get(misfits_of, self._engine.get(listing, type_, view))
                except QueryError:
                    continue  # told of as an error of the listing

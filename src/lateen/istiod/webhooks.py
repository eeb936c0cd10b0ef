"""Injection and validation, put together: the server that answers, and the API server's registrations of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from lateen.engine import Engine
from lateen.identity.watched_api import WatchedApi
from lateen.istiod.configuration import Address
from lateen.istiod.front.secrets import TlsMaterial
from lateen.istiod.tls_material import TlsKeeper
from lateen.model.revision import of_revision
from lateen.settings import IstiodSettings
from lateen.status.lease import Lease
from lateen.webhooks.bundles import WebhookBundles
from lateen.webhooks.events import Events
from lateen.webhooks.injecting import Injecting
from lateen.webhooks.injection_configuration import InjectionConfiguration
from lateen.webhooks.server import WebhookServer
from lateen.webhooks.validating import Validation

_LEASE: Final = "istio-webhooks-leader"
_PATIENCE_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 0.02


class Webhooks:
    """`async with webhooks.serving() as address`; run `parts` besides."""

    def __init__(
        self,
        api: WatchedApi,
        engine: Engine,
        settings: IstiodSettings,
        tls: TlsKeeper,
        listen: Address,
    ) -> None:
        self.validation = Validation(engine)
        self.injection = InjectionConfiguration(api, namespace=settings.namespace, revision=settings.revision)
        self._events = Events(api, identity=settings.identity)
        self.injecting = Injecting(engine, self.injection, self._events)
        self._tls = tls
        self._listening = asyncio.Event()
        self._server = WebhookServer(listen.host, listen.port, [*self.validation.routes(), *self.injecting.routes()])
        service = of_revision("istiod", settings.revision)
        self._bundles = WebhookBundles(api, self._roots, namespace=settings.namespace, service=service)
        # Each revision has registrations of its own.
        lease = of_revision(_LEASE, settings.revision)
        self._lease = Lease(api, namespace=settings.namespace, name=lease, identity=settings.identity)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Address]:
        """Raises OSError when the address cannot be had."""
        await self._tls.known()
        await self._configured()
        self._tls.tell(self._take)
        async with self._server as server:
            self._listening.set()
            yield Address(server.host, server.port)

    async def _configured(self) -> None:
        """Pods are refused while it is not known how to inject: that is waited for, unless nobody has said how."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while self.injection.current is None:
                    await asyncio.sleep(_POLL_SECONDS)

    @property
    def parts(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What runs besides, by name."""
        return {
            "webhooks": self._keep,
            "injection configuration": self.injection.run,
            "events": self._events.run,
        }

    async def _keep(self) -> None:
        """Until cancelled: the registrations are kept true, by one replica at a time."""
        await self._listening.wait()
        await self._lease.run_while_held(self._bundles.run)

    def _take(self, material: TlsMaterial) -> None:
        self._server.take(material.chain, material.key)
        self._bundles.changed()

    def _roots(self) -> str:
        return self._tls.material.roots if self._tls.material is not None else ""

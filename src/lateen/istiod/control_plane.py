"""The composition root: engine, sources, xDS, status and HTTP, put together and run as one."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from lateen.engine import Engine
from lateen.identity import grpc_service
from lateen.identity.certificates import ByCertificate
from lateen.identity.throttled import Throttled
from lateen.istiod.clock import Clock
from lateen.istiod.configuration import Address, Cluster, Configuration
from lateen.istiod.debug_access import DebugAccess
from lateen.istiod.front.callers import FrontAnybody, FrontCallers
from lateen.istiod.front.front import Front
from lateen.istiod.garbage import Garbage
from lateen.istiod.http import Site, SocketSite, application, certificates_application
from lateen.istiod.identity import MeshIdentity, mesh_trust_domains
from lateen.istiod.kinds import watched_kinds
from lateen.istiod.measured import Measured
from lateen.istiod.metrics import page
from lateen.istiod.name_resolution import NameResolution
from lateen.istiod.secret_rights import SecretRights
from lateen.istiod.supervision import keep_running
from lateen.istiod.tls_material import TlsKeeper, read_files, serving_names
from lateen.istiod.troubles import TroubleCarrier
from lateen.istiod.webhooks import Webhooks
from lateen.model.inputs import CLUSTER_ID, DOMAIN, SCOPE_GATEWAYS_TO_NAMESPACE
from lateen.sources.files.mesh_settings_source import MeshSettingsSource
from lateen.sources.files.source import FileSource
from lateen.sources.kubernetes.access import Access, from_kubeconfig, in_cluster
from lateen.sources.kubernetes.client import Client
from lateen.sources.kubernetes.source import KubernetesSource
from lateen.sources.source import Source
from lateen.sources.store import STORED, Store
from lateen.status.lease import Lease
from lateen.status.reports import Reports
from lateen.status.writer import StatusWriter, WriterPace
from lateen.translate import catalog
from lateen.xds.catalog import Catalog
from lateen.xds.debounce import Pace
from lateen.xds.debug.routes import Pages, routes
from lateen.xds.inventory import Inventory
from lateen.xds.limits import Limits
from lateen.xds.push import PushLoop
from lateen.xds.server import Listener, XdsServer

_log = logging.getLogger(__name__)

STATUS_LEASE = "istio-status-leader"


class ControlPlane:
    """`run` until `stop`."""

    def __init__(self, configuration: Configuration) -> None:
        """Raises AccessError when the cluster's credentials cannot be used."""
        self._configuration = configuration
        settings = configuration.settings
        self.engine = Engine()
        with self.engine.change() as tx:
            tx.put(CLUSTER_ID, settings.cluster_id)
            tx.put(DOMAIN, settings.domain)
            tx.put(SCOPE_GATEWAYS_TO_NAMESPACE, settings.scope_gateways)
        self.store = Store(
            self.engine, committed=self._committed, namespace=settings.namespace, revision=settings.revision
        )
        inventory = Inventory(self.engine, Catalog(catalog.views, catalog.listing))
        self.push = PushLoop(inventory, Pace(settings.debounce_after, settings.debounce_max))
        self._measured = Measured(self.engine)
        limits = Limits(stream_age=configuration.stream_age)
        self._client = Client(_access(configuration.cluster)) if configuration.cluster is not None else None
        rights = SecretRights(self._client) if self._client is not None else None
        self.server = XdsServer(self.push, limits=limits, rejected=self._measured.rejected, rights=rights)
        self.identity = self._make_identity()
        self._tls = self._make_tls()
        self.webhooks = self._make_webhooks()
        self.reports = Reports(self.engine, self._say)
        self._names = NameResolution(self.engine, self._committed)
        self._writer = self._status_writer() if self._client is not None and settings.status else None
        self._sources = tuple(self._make_sources())
        self._stopped = asyncio.Event()
        self._serving = False
        self._front: Front | None = None

    @property
    def ready(self) -> bool:
        """Proxies are served."""
        return self._serving and (self._front is None or self._front.up)

    @property
    def waiting(self) -> tuple[str, ...]:
        """What has to come before proxies are served."""
        return self.store.waiting

    def stop(self) -> None:
        """Begins an orderly end."""
        self._stopped.set()

    async def run(self) -> None:
        """Serves until `stop`. Raises OSError when an address cannot be had or certificates cannot be read."""
        async with AsyncExitStack() as stack:
            if self._client is not None:
                stack.push_async_callback(self._client.close)
            given = self._configuration
            if given.certificates is not None:
                read_files(given.certificates)
            if self._tls is not None:
                place = given.settings.run_directory
                self._front = stack.enter_context(Front(given.secure_xds, place=place, json_logs=given.json_logs))
            bound = {
                "http": await stack.enter_async_context(Site(self._application(), self._configuration.http)),
                "monitoring": await stack.enter_async_context(
                    Site(self._application(), self._configuration.monitoring)
                ),
            }
            _tell("listening", bound)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(keep_running(name, work), name=name) for name, work in self._parts().items()]
                reachable = asyncio.Event()
                if self._front is not None:
                    tasks.append(group.create_task(self._run_front(self._front, reachable), name="front"))
                serving = group.create_task(self._serve(bound, reachable))
                await self._stopped.wait()
                _log.info("stopping")
                if not self._serving:
                    serving.cancel()
                self._serving = False
                # Streams end first: nobody is served from a state that is no longer kept up to date. Webhooks and
                # certificates are served meanwhile: it takes a moment until callers have learnt to go elsewhere. The
                # front ends last, and with it the connections on which proxies would come again.
                await self.server.stop(given.settings.shutdown)
                serving.cancel()
                for task in tasks:
                    task.cancel()
        _log.info("stopped")

    # --- parts ---------------------------------------------------------------------------------------------------

    def _make_identity(self) -> MeshIdentity | None:
        if not self._configuration.issues or self._client is None:
            return None
        return MeshIdentity(
            self._client,
            self.engine,
            self._configuration.settings,
            synced=self.store.synced,
            changed=self._authority_changed,
        )

    def _make_tls(self) -> TlsKeeper | None:
        given, settings = self._configuration, self._configuration.settings
        if self.identity is None and given.certificates is None:
            return None
        return TlsKeeper(
            current=self.identity.current if self.identity is not None else None,
            files=given.certificates,
            names=serving_names(settings.namespace, settings.revision, settings.domain, settings.custom_hosts),
        )

    def _make_webhooks(self) -> Webhooks | None:
        if self.identity is None or self._tls is None or self._client is None:
            return None
        given = self._configuration
        return Webhooks(self._client, self.engine, given.settings, self._tls, given.webhooks)

    def _authority_changed(self) -> None:
        if self._tls is not None:
            self._tls.changed()

    def _make_sources(self) -> Sequence[Source]:
        """Of two that hold the same object, the first is believed."""
        given, settings = self._configuration, self._configuration.settings
        found: list[Source] = []
        if given.mesh_config is not None or given.mesh_networks is not None:
            found.append(MeshSettingsSource(given.mesh_config, given.mesh_networks))
        if given.directories:
            found.append(FileSource(given.directories, STORED.keys()))
        if self._client is not None:
            found.append(KubernetesSource(self._client, watched_kinds(settings.namespace, settings.revision)))
        return found

    def _parts(self) -> dict[str, Callable[[], Awaitable[None]]]:
        parts: dict[str, Callable[[], Awaitable[None]]] = {"garbage": Garbage(self.store.synced).run}
        for source in self._sources:
            sink = self.store.sink(source)
            parts[f"source {source.name}"] = partial(source.run, sink)
        parts["push loop"] = self.push.run
        parts["reports"] = self._report
        parts["names"] = self._names.run
        parts["clock"] = Clock(self.engine, self.reports.changed).run
        carrier = TroubleCarrier(self.engine, self.server, self.reports.changed, proven_only=self.identity is not None)
        parts["troubles"] = carrier.run
        if self._tls is not None:
            parts["tls"] = self._tls.run
        if self.identity is not None:
            parts |= self.identity.parts
        if self.webhooks is not None:
            parts |= self.webhooks.parts
        if self._writer is not None and self._client is not None:
            settings, writer = self._configuration.settings, self._writer
            lease = Lease(self._client, namespace=settings.namespace, name=STATUS_LEASE, identity=settings.identity)
            parts["status"] = partial(lease.run_while_held, writer.run)
        return parts

    async def _report(self) -> None:
        """Nothing is said of half a mesh: it would seem to lack what has only not been read yet."""
        await self.store.synced()
        await self.reports.run()

    def _status_writer(self) -> StatusWriter:
        assert self._client is not None
        pace = WriterPace(interval=1 / self._configuration.settings.status_per_second)
        reports = self.reports.reports
        return StatusWriter(self._client, reports.get, lambda: list(reports), pace=pace)

    def _committed(self) -> None:
        self._names.changed()
        self.push.changed()
        self.reports.changed()

    def _say(self, ref: Any) -> None:
        if self._writer is not None:
            self._writer.put(ref)

    # --- serving -------------------------------------------------------------------------------------------------

    async def _serve(self, bound: dict[str, Address], reachable: asyncio.Event) -> None:
        """Proxies are let in once everything is known: half a mesh would be worse than the one they have."""
        given = self._configuration
        await self.store.synced()
        await self._names.settled()
        async with AsyncExitStack() as stack:
            listeners = [Listener(str(given.xds))] if given.xds is not None else []
            if self._front is not None and self._tls is not None:
                await self._tls.known()
                self._tls.tell(self._front.take)
                listeners.append(self._behind(self._front))
                if self.identity is not None:
                    app = certificates_application(self.identity.issuer)
                    await stack.enter_async_context(SocketSite(app, self._front.http_socket))
            ports = await self.server.start(*listeners)
            if given.xds is not None:
                bound["xds"] = Address(given.xds.host, ports[0])
            if self._front is not None:
                reachable.set()
                await self._front.listening()
                bound["secure_xds"] = self._front.address
            if self.webhooks is not None:
                bound["webhooks"] = await stack.enter_async_context(self.webhooks.serving())
            self._serving = True
            _tell("ready", bound)
            if given.ready_file is not None:
                _write_whole(given.ready_file, json.dumps({name: str(address) for name, address in bound.items()}))
            # Until cancelled.
            await asyncio.Event().wait()

    def _behind(self, front: Front) -> Listener:
        """What is served to the front."""
        address = f"unix:{front.grpc_socket}"
        if self.identity is not None:
            handlers = (grpc_service.handler(self.identity.issuer),)
            return Listener(address, FrontCallers(self.identity.stream_callers), handlers)
        files = self._configuration.certificates
        if files is None or files.roots is None:
            return Listener(address, FrontAnybody())
        return Listener(address, FrontCallers(Throttled(ByCertificate(lambda: mesh_trust_domains(self.engine)))))

    async def _run_front(self, front: Front, reachable: asyncio.Event) -> None:
        """Once there is somebody behind it."""
        await reachable.wait()
        await front.run()

    # --- what there is to see ------------------------------------------------------------------------------------

    def _application(self) -> web.Application:
        pages: Pages = {
            "sources": ("What is read, and what is wrong with it", lambda _: self._show_sources()),
            "status": ("Resources that there is something to say of", lambda _: self._show_status()),
        }
        callers = self.identity.debug_callers if self.identity is not None else None
        access = DebugAccess(callers, self._configuration.settings.namespace)
        return application(
            self, [web.get("/metrics", self._metrics), *routes(self.engine, self.server, access.admits, pages)]
        )

    async def _metrics(self, _: web.Request) -> web.Response:
        return page(self._measured.text(self.server, self.identity, self.webhooks, self._front))

    def _show_sources(self) -> Any:
        return {"waiting": self.store.waiting, "problems": self.store.problems, "revision": self.engine.revision}

    def _show_status(self) -> Any:
        return [
            {
                "kind": ref.kind,
                "namespace": ref.key.namespace,
                "name": ref.key.name,
                "origin": self.store.origin(ref),
                "generation": report.generation,
                "rejected": report.rejected,
                "inForce": report.in_force,
                "faults": msgspec.to_builtins(report.faults),
            }
            for ref, report in sorted(self.reports.reports.items())
            if report.faults
        ]


def _access(cluster: Cluster) -> Access:
    return in_cluster() if cluster.kubeconfig is None else from_kubeconfig(cluster.kubeconfig, cluster.context)


def _tell(message: str, bound: dict[str, Address]) -> None:
    _log.info(message, extra={"fields": {name: str(address) for name, address in bound.items()}})


def _write_whole(path: Path, text: str) -> None:
    """Whoever sees the file sees all of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)

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
from lateen.istiod.clock import Clock
from lateen.istiod.configuration import Address, Cluster, Configuration
from lateen.istiod.credentials import credentials
from lateen.istiod.garbage import Garbage
from lateen.istiod.http import Site, application
from lateen.istiod.kinds import watched_kinds
from lateen.istiod.name_resolution import NameResolution
from lateen.istiod.supervision import keep_running
from lateen.istiod.troubles import TroubleCarrier
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
        self.server = XdsServer(self.push)
        self._client = Client(_access(configuration.cluster)) if configuration.cluster is not None else None
        self.reports = Reports(self.engine, self._say)
        self._names = NameResolution(self.engine, self._committed)
        self._writer = self._status_writer() if self._client is not None and settings.status else None
        self._sources = tuple(self._make_sources())
        self._stopped = asyncio.Event()
        self.ready = False

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
            bound = {
                "http": await stack.enter_async_context(Site(self._application(), self._configuration.http)),
                "monitoring": await stack.enter_async_context(
                    Site(self._application(), self._configuration.monitoring)
                ),
            }
            _tell("listening", bound)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(keep_running(name, work), name=name) for name, work in self._parts().items()]
                serving = group.create_task(self._serve(bound))
                await self._stopped.wait()
                self.ready = False
                _log.info("stopping")
                serving.cancel()
                # Streams end first: nobody is served from a state that is no longer kept up to date.
                await self.server.stop(self._configuration.settings.shutdown)
                for task in tasks:
                    task.cancel()
        _log.info("stopped")

    # --- parts ---------------------------------------------------------------------------------------------------

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
        parts["troubles"] = TroubleCarrier(self.engine, self.server, self.reports.changed).run
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

    async def _serve(self, bound: dict[str, Address]) -> None:
        """Proxies are let in once everything is known: half a mesh would be worse than the one they have."""
        await self.store.synced()
        await self._names.settled()
        given = self._configuration
        listeners, names = [], {}
        if given.xds is not None:
            listeners, names = [Listener(str(given.xds))], {"xds": given.xds}
        if given.certificates is not None:
            secured, authenticator = credentials(given.certificates)
            listeners.append(Listener(str(given.secure_xds), secured, authenticator))
            names["secure_xds"] = given.secure_xds
        ports = await self.server.start(*listeners)
        bound |= {name: Address(names[name].host, port) for name, port in zip(names, ports, strict=True)}
        self.ready = True
        _tell("ready", bound)
        if given.ready_file is not None:
            _write_whole(given.ready_file, json.dumps({name: str(address) for name, address in bound.items()}))

    # --- what there is to see ------------------------------------------------------------------------------------

    def _application(self) -> web.Application:
        pages: Pages = {
            "sources": ("What is read, and what is wrong with it", lambda _: self._show_sources()),
            "status": ("Resources that there is something to say of", lambda _: self._show_status()),
        }
        return application(self, routes(self.engine, self.server, more=pages))

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

"""The composition root of the API server: makes the parts, wires them, starts and stops them. No logic."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from lateen.cluster.apiserver.access import ServerAccess
from lateen.cluster.apiserver.admission.chain import Admission
from lateen.cluster.apiserver.auth.access_control import AccessControl
from lateen.cluster.apiserver.crd.controller import DefinitionController
from lateen.cluster.apiserver.crd.subresources import custom_subresources
from lateen.cluster.apiserver.discovery import Discovery
from lateen.cluster.apiserver.kinds.bootstrap import bootstrap
from lateen.cluster.apiserver.kinds.builtin import builtin_kinds
from lateen.cluster.apiserver.kinds.subresources import routes as kind_routes
from lateen.cluster.apiserver.non_resource import GIT_VERSION, NonResourcePaths
from lateen.cluster.apiserver.openapi.routes import openapi_routes
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.request_handler import RequestHandler, add_headers
from lateen.cluster.apiserver.request_metrics import RequestMetrics
from lateen.cluster.apiserver.rest.body import MAX_BODY
from lateen.cluster.apiserver.rest.call import Services
from lateen.cluster.apiserver.rest.operations import Operations
from lateen.cluster.apiserver.rest.verbs import Verbs
from lateen.cluster.apiserver.rest.write_pipeline import WritePipeline
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.apiserver.streaming.routes import routes as streaming_routes
from lateen.cluster.layout import Layout
from lateen.cluster.pki.paths import PkiPaths

_log = logging.getLogger(__name__)

_SHUTDOWN_SECONDS = 5.0
_BIND_RETRY_SECONDS = 0.5


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(slots=True)
class Server:
    """A running API server."""

    services: Services
    handler: RequestHandler


@asynccontextmanager
async def running(layout: Layout) -> AsyncIterator[Server]:
    """Everything but the listeners. Leaving ends watches, then completes the writes under way."""
    schemas = BuiltinSchemas.load(layout.run / "builtin-schemas.cache")
    store = await Store.open(layout.database)
    registry = Registry(builtin_kinds(schemas, layout))
    access = AccessControl(store, layout)
    admission = Admission(store, registry, access.authorizer)
    operations = Operations(WritePipeline(store, admission, utc_now))
    services = Services(layout, store, registry, operations, access.authorizer)
    definitions = DefinitionController(store, registry, schemas)
    metrics = RequestMetrics()
    ready = asyncio.Event()
    paths = NonResourcePaths(
        Discovery(registry, f"{layout.host_ipv4}:{layout.api_port}"),
        {"ping": lambda: True, "storage": lambda: store.healthy, "poststarthook/bootstrap": ready.is_set},
        metrics,
        access.documents(),
        openapi_routes(registry, schemas, GIT_VERSION),
    )
    subresources = {
        **custom_subresources(),
        **kind_routes.routes(),
        **access.subresources(),
        **streaming_routes(layout),
    }
    verbs = Verbs(subresources, {**kind_routes.virtual_resources(), **access.virtual_resources()}, utc_now)
    handler = RequestHandler(services, ServerAccess(access), verbs.answer, paths.answer, metrics)
    try:
        await access.bootstrap()
        definitions.load()
        await bootstrap(operations, registry, layout)
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(part.run()) for part in (access, admission, definitions)]
            ready.set()
            try:
                yield Server(services, handler)
            finally:
                for task in background:
                    task.cancel()
    finally:
        await admission.close()
        await store.close()


async def serve(layout: Layout, stop: asyncio.Event) -> None:
    """Serves until `stop` is set."""
    async with running(layout) as server:
        app = web.Application(client_max_size=MAX_BODY + 1)
        app.router.add_route("*", "/{path:.*}", server.handler.handle)
        app.on_response_prepare.append(add_headers)
        runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=120,
            max_line_size=65536,
            max_field_size=65536,
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        await runner.setup()
        context = tls_context(layout)
        try:
            await web.TCPSite(runner, "127.0.0.1", layout.api_port, ssl_context=context, backlog=1024).start()
            _log.info("serving on %s", layout.api_url)
            async with asyncio.TaskGroup() as tasks:
                listeners = [
                    tasks.create_task(_listen(runner, str(address), layout.api_port, context))
                    for address in (layout.host_ipv4, layout.host_ipv6)
                ]
                await stop.wait()
                for task in listeners:
                    task.cancel()
        finally:
            server.services.store.end_watches()
            await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int, context: ssl.SSLContext) -> None:
    """Listens on an address that may not be assigned yet."""
    told = False
    while True:
        try:
            await web.TCPSite(runner, host, port, ssl_context=context, backlog=1024).start()
        except OSError as error:
            if not told:
                _log.info("waiting for address %s: %s", host, error)
                told = True
            await asyncio.sleep(_BIND_RETRY_SECONDS)
        else:
            _log.info("serving on %s port %d", host, port)
            return


def tls_context(layout: Layout) -> ssl.SSLContext:
    """TLS with the server's certificate; client certificates of the cluster's CA are optional."""
    paths = PkiPaths(layout)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(paths.apiserver.certificate, paths.apiserver.key)
    context.load_verify_locations(paths.ca.certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context

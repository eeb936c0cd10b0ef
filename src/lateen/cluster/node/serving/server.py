"""The kubelet's HTTPS server: who may call it, and what is where.

The API server may call everything by its client certificate; what it relays for users it has authorized itself. Others
(Prometheus, with its ServiceAccount's token) are judged by `access`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

from lateen.cluster.layout import Layout
from lateen.cluster.node.machine import memory_bytes
from lateen.cluster.node.runtime import Process, Runtime
from lateen.cluster.node.serving import statistics_documents as documents
from lateen.cluster.node.serving.access import Access
from lateen.cluster.node.serving.command_request import serve_command
from lateen.cluster.node.serving.log_request import serve_log
from lateen.cluster.node.serving.port_forward_request import serve_port_forward
from lateen.cluster.node.serving.remote_command import CommandOptions
from lateen.cluster.node.statistics import NodeSample, Statistics
from lateen.cluster.node.usage import process_usage
from lateen.cluster.pki.paths import PkiPaths
from lateen.cluster.status import StatusError, bad_request, internal_error

PORT = 10250
_IPV6_FREEBIND = 78

MAX_COMMAND_BYTES = 128 * 1024
"""Bound on a request's line, which carries an exec's command."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)
_SHUTDOWN_SECONDS = 2.0


async def serve(
    runtime: Runtime,
    access: Access,
    statistics: Statistics,
    layout: Layout,
    number: int,
    *,
    started: asyncio.Event | None = None,
) -> None:
    """Serves on the node's addresses until cancelled; sets `started` when it accepts connections."""
    node = layout.node(number)
    runner = web.AppRunner(
        application(runtime, access, statistics),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=_SHUTDOWN_SECONDS,
        max_line_size=MAX_COMMAND_BYTES,
    )
    await runner.setup()
    try:
        context = server_context(PkiPaths(layout), number)
        for address in (str(node.ipv4), str(node.ipv6)):
            await web.SockSite(runner, _listen(address), ssl_context=context).start()
        if started is not None:
            started.set()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def server_context(paths: PkiPaths, number: int) -> ssl.SSLContext:
    """TLS with the node's serving certificate, for clients of the cluster's CA only."""
    pair = paths.kubelet_serving(number)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(paths.ca.certificate))
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def application(runtime: Runtime, access: Access, statistics: Statistics) -> web.Application:
    """All endpoints, behind authentication and authorization."""
    endpoints, measures = _Endpoints(runtime), _Measures(runtime, statistics)

    @web.middleware
    async def checked(request: web.Request, handler: _Handler) -> web.StreamResponse:
        await access.check(request)
        return await handler(request)

    app = web.Application(middlewares=[_errors, checked])
    app.router.add_get("/stats/summary", measures.summary)
    app.router.add_get("/metrics", measures.node)
    app.router.add_get("/metrics/resource", measures.resource)
    app.router.add_get("/metrics/cadvisor", measures.containers)
    app.router.add_get("/healthz", endpoints.healthz)
    app.router.add_get("/pods", endpoints.pods)
    pod, container = "{namespace}/{pod}", "{container}"
    app.router.add_get(f"/containerLogs/{pod}/{container}", endpoints.logs)
    for path in (f"{pod}/{container}", f"{pod}/{{uid}}/{container}"):
        for method in ("GET", "POST"):
            app.router.add_route(method, f"/exec/{path}", endpoints.exec)
            app.router.add_route(method, f"/attach/{path}", endpoints.attach)
    for path in (pod, f"{pod}/{{uid}}"):
        for method in ("GET", "POST"):
            app.router.add_route(method, f"/portForward/{path}", endpoints.port_forward)
    return app


class _Endpoints:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def healthz(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text="ok")

    async def pods(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self._runtime.pods()})

    async def logs(self, request: web.Request) -> web.StreamResponse:
        return await serve_log(request, self._runtime)

    async def exec(self, request: web.Request) -> web.StreamResponse:
        argv = request.query.getall("command", [])
        if not argv:
            raise bad_request("you must specify a command")
        path = request.match_info
        self._runtime.find_pod(path["namespace"], path["pod"], path.get("uid", ""))

        async def start(options: CommandOptions) -> Process:
            return await self._runtime.exec(
                path["namespace"],
                path["pod"],
                path["container"],
                argv,
                stdin=options.stdin,
                stdout=options.stdout,
                stderr=options.stderr,
                tty=options.tty,
                uid=path.get("uid", ""),
            )

        return await serve_command(request, start)

    async def attach(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info
        self._runtime.find_pod(path["namespace"], path["pod"], path.get("uid", ""))

        async def start(options: CommandOptions) -> Process:
            return await self._runtime.attach(
                path["namespace"],
                path["pod"],
                path["container"],
                stdin=options.stdin,
                stdout=options.stdout,
                stderr=options.stderr,
                uid=path.get("uid", ""),
            )

        return await serve_command(request, start)

    async def port_forward(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info
        netns = self._runtime.network_namespace(path["namespace"], path["pod"], path.get("uid", ""))
        return await serve_port_forward(request, f"{path['namespace']}/{path['pod']}", netns)


class _Measures:
    def __init__(self, runtime: Runtime, statistics: Statistics) -> None:
        self._runtime = runtime
        self._statistics = statistics

    async def _sample(self) -> NodeSample:
        # What is asked of the pods belongs to this thread; reading files does not.
        return await asyncio.to_thread(self._statistics.sample, list(self._statistics.pods()))

    async def summary(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(documents.summary(await self._sample(), memory_bytes()))

    async def resource(self, request: web.Request) -> web.StreamResponse:
        return _text(documents.resource_metrics(await self._sample()))

    async def containers(self, request: web.Request) -> web.StreamResponse:
        return _text(documents.container_metrics(await self._sample()))

    async def node(self, request: web.Request) -> web.StreamResponse:
        return _text(documents.node_metrics(self._runtime.pods(), self._statistics.node, process_usage()))


def _text(metrics: str) -> web.Response:
    return web.Response(body=metrics.encode(), headers={"Content-Type": documents.TEXT})


@web.middleware
async def _errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except StatusError as error:
        return web.json_response(error.to_json(), status=error.code)
    except (web.HTTPException, ConnectionError):
        raise
    except Exception:
        _log.exception("%s %s failed", request.method, request.path)
        return web.json_response(internal_error("the node failed to serve the request").to_json(), status=500)


def _listen(address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # An address that is still being checked for duplicates can be bound already.
            listening.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        listening.bind((address, PORT))
        listening.listen(128)
        listening.setblocking(False)
    except BaseException:
        listening.close()
        raise
    return listening

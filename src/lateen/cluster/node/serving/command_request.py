"""`/exec/...` and `/attach/...`: agreeing on a protocol, then running the command over it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from lateen.cluster.node.runtime import Process
from lateen.cluster.node.serving.log_request import is_true
from lateen.cluster.node.serving.remote_command import CommandOptions, run_command
from lateen.cluster.node.serving.spdy_session import SpdySession
from lateen.cluster.node.serving.spdy_streams import PROTOCOLS as SPDY_PROTOCOLS
from lateen.cluster.node.serving.spdy_streams import SpdyStreams
from lateen.cluster.node.serving.websocket_streams import MAX_MESSAGE_BYTES, WebSocketStreams
from lateen.cluster.node.serving.websocket_streams import PROTOCOLS as WEBSOCKET_PROTOCOLS
from lateen.cluster.status import StatusError, bad_request
from lateen.cluster.upgraded_connection import BUFFER_BYTES, TakenOver, taken_over

SPDY = "SPDY/3.1"

Start = Callable[[CommandOptions], Awaitable[Process]]


def command_options(request: web.BaseRequest) -> CommandOptions:
    """Reads the kubelet's own parameter names. Raises bad request when no stream is asked for."""
    tty = is_true(request.query, "tty")
    options = CommandOptions(
        stdin=is_true(request.query, "input"),
        stdout=is_true(request.query, "output"),
        stderr=is_true(request.query, "error") and not tty,
        tty=tty,
    )
    if not (options.stdin or options.stdout or options.stderr):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    return options


async def serve_command(request: web.Request, start: Start) -> web.StreamResponse:
    """Upgrades and runs. Errors of `start` are told on the error channel, as the connection stands by then."""
    options = command_options(request)
    if is_websocket(request):
        socket = await open_websocket(request, WEBSOCKET_PROTOCOLS)
        streams = WebSocketStreams(socket, options)
        await streams.greet()
        await run_command(lambda: start(options), streams, options)
        await socket.close()
        return socket
    protocol = spdy_protocol(request, SPDY_PROTOCOLS)
    async with taken_over(request) as (reader, writer):
        await switch_to_spdy(writer, protocol)
        session = SpdySession(lambda: reader.read(BUFFER_BYTES), sender(writer))
        running = asyncio.create_task(session.run())
        try:
            spdy = SpdyStreams(session, options)
            await spdy.accept()
            await run_command(lambda: start(options), spdy, options)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    return TakenOver()


# --- upgrades ----------------------------------------------------------------------------------------------------


def is_websocket(request: web.BaseRequest) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


async def open_websocket(request: web.BaseRequest, protocols: tuple[str, ...]) -> web.WebSocketResponse:
    """Accepts with the client's first choice that is served; a client that names none means the oldest binary one.
    Raises bad request where nothing suits."""
    offered = [p.strip() for p in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if p.strip()]
    chosen = next((p for p in offered if p in protocols), None)
    if offered and chosen is None:
        raise bad_request(f"unable to upgrade: expected one of the WebSocket protocols {', '.join(protocols)}")
    socket = web.WebSocketResponse(
        protocols=(chosen,) if chosen else (), max_msg_size=MAX_MESSAGE_BYTES, compress=False
    )
    await socket.prepare(request)
    return socket


def spdy_protocol(request: web.BaseRequest, protocols: tuple[str, ...]) -> str:
    """The `X-Stream-Protocol-Version` agreed on. Raises bad request for no upgrade, 403 for no common version."""
    if request.headers.get("Upgrade", "").lower() != SPDY.lower():
        raise bad_request("Upgrade request required")
    offered = [p.strip() for value in request.headers.getall("X-Stream-Protocol-Version", ()) for p in value.split(",")]
    chosen = next((p for p in offered if p in protocols), None)
    if chosen is None:
        message = f"unable to upgrade: unable to negotiate protocol: client supports {offered}, server accepts "
        raise StatusError(403, "Forbidden", message + str(list(protocols)))
    return chosen


async def switch_to_spdy(writer: asyncio.StreamWriter, protocol: str) -> None:
    head = (
        f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {SPDY}\r\n"
        f"X-Stream-Protocol-Version: {protocol}\r\n\r\n"
    )
    writer.write(head.encode())
    await writer.drain()


def sender(writer: asyncio.StreamWriter) -> Callable[[bytes], Awaitable[None]]:
    async def send(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    return send

"""Small servers that say who they are, for tests that look at where traffic arrived."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
from aiohttp import web

ECHO_METHOD = "/lateen.testing.Echo/Say"


@contextlib.asynccontextmanager
async def http_backend(name: str, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """An HTTP/1.1 server: answers any request with `{"name", "method", "path", "headers", "body"}`. Gives its port.

    The request's `x-answer-status` says with which status, `x-answer-delay` after how many seconds.
    """

    async def answer(request: web.Request) -> web.Response:
        body = await request.text()
        await asyncio.sleep(float(request.headers.get("x-answer-delay", "0")))
        headers = {key.lower(): value for key, value in request.headers.items()}
        told = {"name": name, "method": request.method, "path": request.path_qs, "headers": headers, "body": body}
        status = int(request.headers.get("x-answer-status", "200"))
        return web.Response(text=json.dumps(told), status=status, content_type="application/json")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, 0, ssl_context=tls)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def tcp_backend(
    name: str, host: str = "127.0.0.1", *, greets: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A line server: answers each line with `name: line`; with `greets` it speaks first. Gives its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            if greets:
                writer.write(f"hello from {name}\n".encode())
            while line := await reader.readline():
                writer.write(f"{name}: ".encode() + line)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        yield port


@contextlib.asynccontextmanager
async def grpc_backend(name: str, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A gRPC server whose `ECHO_METHOD` answers `name: request`. Gives its port."""

    async def say(request: bytes, _: Any) -> bytes:
        return f"{name}: ".encode() + request

    service, method = ECHO_METHOD.strip("/").split("/")
    server = grpc.aio.server()
    handlers = {method: grpc.unary_unary_rpc_method_handler(say)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port: int = server.add_insecure_port(f"{host}:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def grpc_say(target: str, text: str, *, authority: str = "", metadata: tuple[tuple[str, str], ...] = ()) -> str:
    """Calls `ECHO_METHOD` once. Raises grpc.aio.AioRpcError."""
    options = [("grpc.default_authority", authority)] if authority else []
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        say = channel.unary_unary(ECHO_METHOD)
        answer: bytes = await say(text.encode(), timeout=60, metadata=metadata)
    return answer.decode()


async def tcp_say(host: str, port: int, text: str) -> str:
    """Sends a line and gives the line that comes back; empty when the connection is closed instead."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(text.encode() + b"\n")
        line = await asyncio.wait_for(reader.readline(), 60)
    finally:
        writer.close()
    return line.decode().rstrip("\n")

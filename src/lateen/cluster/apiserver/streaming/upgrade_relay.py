"""Relaying an upgraded connection as raw bytes: WebSocket and SPDY alike are spoken by its two ends alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

from aiohttp import web

from lateen.cluster.apiserver.streaming.backend import Backend
from lateen.cluster.status import StatusError, service_unavailable
from lateen.cluster.upgraded_connection import BUFFER_BYTES, TakenOver, close_within, taken_over

DIAL_SECONDS = 10.0
ANSWER_SECONDS = 60.0
MAX_HEAD_BYTES = 64 * 1024
_CLOSE_SECONDS = 1.0
_MAX_ERROR_BYTES = 64 * 1024
_UPGRADE_HEADERS = ("Upgrade", "Connection", "X-Stream-Protocol-Version", "User-Agent")


def upgrade_headers(request: web.BaseRequest) -> list[tuple[str, str]]:
    """The headers of an upgrade; nothing that identifies the user goes on."""
    kept = {name.lower() for name in _UPGRADE_HEADERS}
    return [
        (name, value)
        for name, value in request.headers.items()
        if name.lower() in kept or name.lower().startswith("sec-websocket-")
    ]


async def relay_upgrade(
    request: web.BaseRequest, backend: Backend, path: str, headers: Iterable[tuple[str, str]]
) -> web.StreamResponse:
    """Asks the backend for the upgrade; relays until either side ends.

    `path` carries the query, both encoded. Raises StatusError where the backend does not answer or refuses.
    """
    try:
        async with asyncio.timeout(DIAL_SECONDS):
            reader, writer = await asyncio.open_connection(
                backend.host, backend.port, ssl=backend.tls, limit=BUFFER_BYTES
            )
    except (OSError, TimeoutError) as error:
        raise unreachable(backend, error) from error
    try:
        lines = [f"{request.method} {path} HTTP/1.1", f"Host: {backend.authority}"]
        lines += [f"{name}: {value}" for name, value in headers]
        if request.method not in ("GET", "HEAD"):
            lines.append("Content-Length: 0")
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape"))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await writer.drain()
                head = await reader.readuntil(b"\r\n\r\n")
                if _status_code(head) != 101:
                    raise await _refusal(head, reader)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise unreachable(backend, error) from error
        async with taken_over(request) as (client_reader, client_writer):
            client_writer.write(head)
            await _relay((reader, client_writer), (client_reader, writer))
        return TakenOver()
    finally:
        # Nobody is left to send for: what the backend has not taken in by now is dropped.
        await close_within(writer, _CLOSE_SECONDS)


def unreachable(backend: Backend, error: BaseException) -> StatusError:
    detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or "timed out"
    return service_unavailable(f"error dialing backend: dial tcp {backend.authority}: {detail}")


async def _relay(*directions: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    """Copies in all directions until one ends. TLS knows no half-close: the protocols above it have their own."""
    pumps = [asyncio.create_task(_pump(reader, writer)) for reader, writer in directions]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(BUFFER_BYTES):
        writer.write(data)
        await writer.drain()


def _status_code(head: bytes) -> int:
    parts = head.split(b" ", 2)
    return int(parts[1]) if len(parts) > 1 and parts[1][:3].isdigit() else 502


async def _refusal(head: bytes, reader: asyncio.StreamReader) -> StatusError:
    """The backend's own `Status`, or its words."""
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    }
    length = fields.get("content-length", "")
    body = await reader.readexactly(min(int(length), _MAX_ERROR_BYTES)) if length.isdigit() else b""
    return backend_error(_status_code(head), body)


def backend_error(code: int, body: bytes) -> StatusError:
    """An error answer of a kubelet as the API server passes it on."""
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return StatusError.from_json(status, code)
    text = body.decode(errors="replace").strip() or f"the backend answered {code}"
    reason = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 500: "InternalError"}
    return StatusError(code, reason.get(code, ""), text)

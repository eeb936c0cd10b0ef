"""Taking a connection over from aiohttp's server after an HTTP upgrade that aiohttp does not speak."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

BUFFER_BYTES = 256 * 1024
FLUSH_SECONDS = 10.0
"""How long a client may take for the last output."""


class TakenOver(web.StreamResponse):
    """What a handler returns that has answered on the connection itself."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


@contextlib.asynccontextmanager
async def taken_over(request: web.BaseRequest) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """The connection's bytes in both directions. At the end it is flushed and closed.

    Raises ConnectionResetError when the client has gone already.
    """
    handler = request.protocol
    if request.transport is None or request.transport.is_closing():
        raise ConnectionResetError("the client has gone")
    transport = request.transport
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=BUFFER_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    # From here on, aiohttp's own handler gets no data; it learns of the end below, to forget the connection.
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    transport.resume_reading()
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    try:
        yield reader, writer
    finally:
        try:
            await close_within(writer, FLUSH_SECONDS)
        finally:
            handler.connection_lost(None)


async def close_within(writer: asyncio.StreamWriter, seconds: float) -> None:
    """Closes once everything is sent, or without that after a time: a peer that does not read holds up nobody."""
    writer.close()
    try:
        async with asyncio.timeout(seconds):
            await writer.wait_closed()
    except OSError:
        pass
    finally:
        writer.transport.abort()

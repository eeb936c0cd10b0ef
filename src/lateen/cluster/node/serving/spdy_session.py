"""The serving side of one SPDY/3.1 connection: streams that the client opens, multiplexed.

There is no flow control beyond the connection's own: the clients that speak this (kubectl and client-go) neither
send nor expect window updates.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from lateen.cluster.node.serving.byte_pipe import BytePipe
from lateen.cluster.node.serving.spdy_frames import (
    Data,
    Decoder,
    Encoder,
    Frame,
    GoAway,
    Ping,
    ProtocolError,
    RstStream,
    SynReply,
    SynStream,
)

MAX_STREAMS = 1024
"""Bound on streams open at once."""
PING_SECONDS = 5.0
_CHUNK = 32 * 1024
_REFUSED, _INVALID = 3, 2


class SpdyStream:
    """One stream. `incoming` ends when the client is done sending, or the stream or connection is gone."""

    def __init__(self, session: SpdySession, number: int, headers: Mapping[str, str]) -> None:
        self.number = number
        self.headers = headers
        self.incoming = BytePipe()
        self.sent_fin = False
        self.received_fin = False
        self._session = session

    async def send(self, data: bytes) -> None:
        """Dropped once the stream is finished."""
        for at in range(0, len(data), _CHUNK):
            if not self.sent_fin:
                await self._session.write(Data(self.number, data[at : at + _CHUNK]))

    async def finish(self) -> None:
        """No more is sent; the client may still send."""
        if not self.sent_fin:
            self.sent_fin = True
            await self._session.write(Data(self.number, b"", fin=True))
            self._session.forget_if_done(self)

    async def reset(self) -> None:
        """Gives the stream up in both directions."""
        if not (self.sent_fin and self.received_fin):
            self.sent_fin = self.received_fin = True
            await self._session.write(RstStream(self.number, 5))
        await self.incoming.abandon()
        self._session.forget_if_done(self)


class SpdySession:
    """`read` gives the connection's next bytes (none at its end), `write` sends some."""

    def __init__(self, read: Callable[[], Awaitable[bytes]], write: Callable[[bytes], Awaitable[None]]) -> None:
        self._read = read
        self._write = write
        self._encoder = Encoder()
        self._sending = asyncio.Lock()
        self._streams: dict[int, SpdyStream] = {}
        self.opened: asyncio.Queue[SpdyStream | None] = asyncio.Queue()
        """Streams as the client opens them; None when there will be no more."""

    async def run(self) -> None:
        """Serves until the client ends the connection or breaks the protocol."""
        reading = asyncio.create_task(self._receive())
        # While a stream's reader lags, nothing is read and an end would go unnoticed: writing notices it.
        pinging = asyncio.create_task(self._keep_alive())
        try:
            await asyncio.wait((reading, pinging), return_when=asyncio.FIRST_COMPLETED)
        finally:
            reading.cancel()
            pinging.cancel()
            await asyncio.gather(reading, pinging, return_exceptions=True)
            for stream in list(self._streams.values()):
                await stream.incoming.end()
            self.opened.put_nowait(None)

    async def _receive(self) -> None:
        decoder = Decoder()
        with contextlib.suppress(ProtocolError, ConnectionError):
            while data := await self._read():
                for frame in decoder.feed(data):
                    if isinstance(frame, GoAway):
                        return
                    await self._handle(frame)

    async def _keep_alive(self) -> None:
        number = 0
        with contextlib.suppress(ConnectionError):
            while True:
                await asyncio.sleep(PING_SECONDS)
                number = (number + 2) % (1 << 32)
                await self.write(Ping(number))

    async def write(self, frame: Frame) -> None:
        # Header compression makes the order of encoding the order on the wire.
        async with self._sending:
            await self._write(self._encoder.encode(frame))

    def forget_if_done(self, stream: SpdyStream) -> None:
        if stream.sent_fin and stream.received_fin:
            self._streams.pop(stream.number, None)

    async def _handle(self, frame: Frame) -> None:
        match frame:
            case SynStream():
                await self._open(frame)
            case Data():
                stream = self._streams.get(frame.stream)
                if stream is None:
                    return
                await stream.incoming.write(frame.payload)
                if frame.fin:
                    await self._received_fin(stream)
            case RstStream():
                stream = self._streams.pop(frame.stream, None)
                if stream is not None:
                    stream.sent_fin = stream.received_fin = True
                    await stream.incoming.end()
            case Ping():
                # Clients' pings are odd; an even one answers ours, which ask for no answer.
                if frame.id % 2 == 1:
                    await self.write(frame)
            case _:
                return

    async def _open(self, frame: SynStream) -> None:
        if frame.stream % 2 == 0 or frame.stream in self._streams:
            await self.write(RstStream(frame.stream, _INVALID))
            return
        if len(self._streams) >= MAX_STREAMS:
            await self.write(RstStream(frame.stream, _REFUSED))
            return
        stream = SpdyStream(self, frame.stream, {k.lower(): v for k, v in frame.headers.items()})
        self._streams[frame.stream] = stream
        await self.write(SynReply(frame.stream))
        if frame.fin:
            await self._received_fin(stream)
        self.opened.put_nowait(stream)

    async def _received_fin(self, stream: SpdyStream) -> None:
        stream.received_fin = True
        await stream.incoming.end()
        self.forget_if_done(stream)

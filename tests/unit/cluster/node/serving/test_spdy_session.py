from __future__ import annotations

import asyncio

import pytest

from lateen.cluster.node.serving.spdy_frames import (
    Data,
    Decoder,
    Encoder,
    Frame,
    GoAway,
    Ping,
    RstStream,
    SynReply,
    SynStream,
)
from lateen.cluster.node.serving.spdy_session import SpdySession


class Client:
    """The other end, in memory."""

    def __init__(self) -> None:
        self._encoder, self._decoder = Encoder(), Decoder()
        self._to_server: asyncio.Queue[bytes] = asyncio.Queue()
        self._from_server: asyncio.Queue[Frame] = asyncio.Queue()
        self.session = SpdySession(self._to_server.get, self._receive)

    async def _receive(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            self._from_server.put_nowait(frame)

    def send(self, *frames: Frame) -> None:
        for frame in frames:
            self._to_server.put_nowait(self._encoder.encode(frame))

    def leave(self) -> None:
        self._to_server.put_nowait(b"")

    async def next(self) -> Frame:
        return await self._from_server.get()


@pytest.fixture
def client() -> Client:
    return Client()


async def test_a_stream_from_open_to_end(client: Client) -> None:
    running = asyncio.create_task(client.session.run())
    client.send(SynStream(1, {"streamType": "stdin"}), Data(1, b"hello"), Data(1, b"", fin=True))
    assert await client.next() == SynReply(1)
    stream = await client.session.opened.get()
    assert stream
    assert stream.headers == {"streamtype": "stdin"}
    assert await stream.incoming.read() == b"hello"
    assert await stream.incoming.read() == b""
    await stream.send(b"back")
    await stream.finish()
    assert [await client.next(), await client.next()] == [Data(1, b"back"), Data(1, b"", fin=True)]
    client.send(GoAway(1))
    await running
    assert await client.session.opened.get() is None


async def test_pings_are_answered(client: Client) -> None:
    running = asyncio.create_task(client.session.run())
    client.send(Ping(2), Ping(3))
    assert await client.next() == Ping(3)
    client.leave()
    await running


async def test_the_clients_leaving_ends_its_streams(client: Client) -> None:
    running = asyncio.create_task(client.session.run())
    client.send(SynStream(1))
    stream = await client.session.opened.get()
    client.leave()
    await running
    assert stream
    assert await stream.incoming.read() == b""


async def test_a_stream_opened_twice_is_refused(client: Client) -> None:
    running = asyncio.create_task(client.session.run())
    client.send(SynStream(1), SynStream(1), SynStream(2))
    assert [await client.next() for _ in range(3)] == [SynReply(1), RstStream(1, 2), RstStream(2, 2)]
    client.leave()
    await running


async def test_reset_streams_take_nothing_more(client: Client) -> None:
    running = asyncio.create_task(client.session.run())
    client.send(SynStream(1), RstStream(1, 5))
    stream = await client.session.opened.get()
    assert stream
    assert await stream.incoming.read() == b""
    await stream.send(b"lost")
    client.send(Ping(1))
    assert [await client.next(), await client.next()] == [SynReply(1), Ping(1)]
    client.leave()
    await running

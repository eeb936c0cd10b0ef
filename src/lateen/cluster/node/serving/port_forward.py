"""Port-forward: connections of a remote user to ports on a pod's loopback.

Three spellings: SPDY after an upgrade, SPDY inside WebSocket messages (kubectl since 1.31), and WebSocket channels
(two per port: data and error, each starting with the port in two bytes, little-endian).
Source: `k8s.io/kubelet/pkg/cri/streaming/portforward`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from aiohttp import WSMsgType, web

from lateen.cluster.node.serving.byte_pipe import BytePipe
from lateen.cluster.node.serving.dial import dial_loopback
from lateen.cluster.node.serving.spdy_session import SpdySession, SpdyStream
from lateen.cluster.node.serving.websocket_streams import ping_until_gone

PROTOCOL = "portforward.k8s.io"
TUNNEL = "SPDY/3.1+portforward.k8s.io"
CHANNELS = "v4.channel.k8s.io"
_CHUNK = 32 * 1024

Send = Callable[[bytes], Awaitable[None]]


class Forwarder:
    """One user's connections into one pod."""

    def __init__(self, pod: str, netns: Path | None) -> None:
        self._pod = pod
        self._netns = netns

    async def serve_spdy(self, session: SpdySession) -> None:
        """Serves a session (which is run here) until the client leaves."""
        waiting: dict[str, SpdyStream] = {}
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.run())
            connections: set[asyncio.Task[None]] = set()
            while (stream := await session.opened.get()) is not None:
                request = stream.headers.get("requestid", "")
                partner = waiting.pop(request, None)
                if partner is None:
                    waiting[request] = stream
                    continue
                pair = {s.headers.get("streamtype", ""): s for s in (partner, stream)}
                if pair.keys() != {"data", "error"}:
                    await partner.reset()
                    await stream.reset()
                    continue
                task = tasks.create_task(self._connection(pair["data"], pair["error"]))
                connections.add(task)
                task.add_done_callback(connections.discard)
            for task in connections:
                task.cancel()

    async def serve_tunnel(self, socket: web.WebSocketResponse) -> None:
        """SPDY inside a WebSocket's binary messages."""

        async def read() -> bytes:
            while True:
                message = await socket.receive()
                if message.type is WSMsgType.BINARY:
                    if message.data:
                        return bytes(message.data)
                elif message.type is not WSMsgType.TEXT:
                    return b""

        await self.serve_spdy(SpdySession(read, socket.send_bytes))

    async def serve_channels(self, socket: web.WebSocketResponse, ports: Sequence[int]) -> None:
        """Two WebSocket channels for each port, until the client leaves or every connection has ended."""
        inputs = [BytePipe() for _ in ports]
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(self._channel(socket, index, port, inputs[index])) for index, port in enumerate(ports)
            ]
            receiving = tasks.create_task(_receive_channels(socket, inputs))
            watching = tasks.create_task(ping_until_gone(socket))
            # Channels have no end of their own: only the end of the socket tells the client that nothing more comes.
            ended = tasks.create_task(_ended(running))
            await asyncio.wait((receiving, watching, ended), return_when=asyncio.FIRST_COMPLETED)
            for task in (*running, receiving, watching, ended):
                task.cancel()

    async def _channel(self, socket: web.WebSocketResponse, index: int, port: int, source: BytePipe) -> None:
        data, error = bytes((2 * index,)), bytes((2 * index + 1,))
        with contextlib.suppress(ConnectionError):
            for channel in (data, error):
                await socket.send_bytes(channel + port.to_bytes(2, "little"))
            fault = await self._relay(port, source, lambda chunk: socket.send_bytes(data + chunk))
            if fault:
                await socket.send_bytes(error + fault.encode())

    async def _connection(self, data: SpdyStream, error: SpdyStream) -> None:
        try:
            port = int(data.headers.get("port", ""))
            if not 0 < port < 65536:
                raise ValueError(port)
        except ValueError:
            await error.send(b"invalid port")
            await data.reset()
            await error.finish()
            return
        with contextlib.suppress(ConnectionError):
            fault = await self._relay(port, data.incoming, data.send)
            if fault:
                await error.send(fault.encode())
            await data.finish()
            await error.finish()
            await data.incoming.abandon()

    async def _relay(self, port: int, source: BytePipe, send: Send) -> str:
        """Connects and copies both ways until the pod closes; each side may end its direction first."""
        try:
            reader, writer = await dial_loopback(self._netns, port)
        except (OSError, TimeoutError) as error:
            await source.abandon()
            detail = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error) or "timed out"
            return f"failed to connect to localhost:{port} inside namespace of pod {self._pod}: {detail}"
        feeding = asyncio.create_task(_feed(source, writer))
        try:
            while chunk := await reader.read(_CHUNK):
                await send(chunk)
        except ConnectionResetError:
            return ""
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await source.abandon()
            writer.close()
        return ""


async def _ended(connections: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.wait(connections)


async def _receive_channels(socket: web.WebSocketResponse, inputs: Sequence[BytePipe]) -> None:
    async for message in socket:
        if message.type is WSMsgType.BINARY and message.data:
            index, is_error = divmod(message.data[0], 2)
            if not is_error and index < len(inputs):
                await inputs[index].write(bytes(message.data[1:]))


async def _feed(source: BytePipe, writer: asyncio.StreamWriter) -> None:
    while data := await source.read():
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()

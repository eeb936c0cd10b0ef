"""Connections to ports of pods, through the Kubernetes API.

As WebSocket channels (`v4.channel.k8s.io`): two for a port, data and errors, whose first messages carry its number. A
channel has no end of its own; the connection ends with the WebSocket.
Source: `k8s.io/kubelet/pkg/cri/streaming/portforward`.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
from typing import Final, NamedTuple

import aiohttp

from lateen.sources.kubernetes.client import ApiError, Client

PROTOCOL: Final = "v4.channel.k8s.io"
MAX_ANSWER: Final = 512 * 1024 * 1024
_DATA: Final = 0
_ERROR: Final = 1
_PIECE: Final = 32 * 1024
_SECONDS: Final = 30.0
"""For a pod to go on with an answer."""


class Pod(NamedTuple):
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.name}.{self.namespace}"


class PodUnreachable(Exception):
    """No answer from a pod's port, or none of use; says which, and why."""

    def __init__(self, words: str, status: int = 0) -> None:
        super().__init__(words)
        self.status = status
        """Of the answer; 0 where there was none."""


async def ask(client: Client, pod: Pod, port: int, path: str, *, method: str = "GET", body: bytes = b"") -> bytes:
    """The body of an answer of 200. Raises PodUnreachable for any other, and when there is none."""
    status, content = await _exchange(client, pod, port, method, path, body)
    if status != 200:
        words = content[:500].decode(errors="replace").strip()
        raise PodUnreachable(f"{pod}: port {port}: {method} {path}: {status} {words}", status)
    return content


async def _exchange(client: Client, pod: Pod, port: int, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    ours, theirs = socket.socketpair()
    with theirs:
        carrying = asyncio.create_task(carry(client, pod, port, *(await asyncio.open_connection(sock=ours))))
        try:
            return await asyncio.to_thread(_speak, theirs, port, method, path, body)
        except (OSError, http.client.HTTPException) as problem:
            if isinstance(problem, TimeoutError):
                raise PodUnreachable(f"{pod}: port {port}: no answer to {path} for {_SECONDS:g} s") from problem
            raise PodUnreachable(await carrying or f"{pod}: port {port}: {problem}") from problem
        finally:
            # A thread that still reads is told that nothing more comes.
            with contextlib.suppress(OSError):
                theirs.shutdown(socket.SHUT_RDWR)
            carrying.cancel()
            await asyncio.gather(carrying, return_exceptions=True)


def _speak(connected: socket.socket, port: int, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("localhost", port)
    # It closes what it is given.
    connection.sock = connected.dup()
    connection.sock.settimeout(_SECONDS)
    connection.request(method, path, body=body or None, headers={"Connection": "close"})
    answer = connection.getresponse()
    content = answer.read(MAX_ANSWER + 1)
    if len(content) > MAX_ANSWER:
        raise http.client.HTTPException(f"the answer to {path} has more than {MAX_ANSWER} bytes")
    return answer.status, content


async def carry(client: Client, pod: Pod, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Carries a connection to a pod's port until either side ends it. Says what went wrong, or nothing."""
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/portforward"
    try:
        async with client.websocket(path, {"ports": str(port)}, PROTOCOL) as stream:
            return await _both_ways(stream, reader, writer)
    except ApiError as error:
        return _refused(error, pod)
    except OSError as error:
        return f"{pod}: port {port}: {error or type(error).__name__}"
    finally:
        writer.close()


async def _both_ways(
    stream: aiohttp.ClientWebSocketResponse, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> str:
    up = asyncio.create_task(_up(stream, reader))
    down = asyncio.create_task(_down(stream, writer))
    try:
        await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        return down.result() if down.done() else ""
    finally:
        for task in (up, down):
            task.cancel()
        await asyncio.gather(up, down, return_exceptions=True)


async def _up(stream: aiohttp.ClientWebSocketResponse, reader: asyncio.StreamReader) -> None:
    while piece := await reader.read(_PIECE):
        await stream.send_bytes(bytes((_DATA,)) + piece)


async def _down(stream: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter) -> str:
    begun = set()
    async for message in stream:
        if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
            continue
        channel, content = message.data[0], message.data[1:]
        if channel not in begun:
            # The port, which we know.
            begun.add(channel)
            content = content[2:]
        if channel == _ERROR and content:
            return str(content.decode(errors="replace"))
        if channel == _DATA and content:
            writer.write(content)
            await writer.drain()
    return ""


def _refused(error: ApiError, pod: Pod) -> str:
    if error.status == 403:
        return f"{pod}: you may not forward ports: a Role with `get` and `create` on pods/portforward is needed"
    if error.status == 404:
        return f"there is no pod {pod.name} in namespace {pod.namespace}"
    return f"{pod}: the API server refuses to forward ports: {error}"

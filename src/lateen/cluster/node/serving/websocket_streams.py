"""Exec and attach over WebSocket: each message starts with a byte that names its channel.

Source: `k8s.io/apimachinery/pkg/util/remotecommand` (v4, v5) and `.../httpstream/wsstream`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json

from aiohttp import WSMsgType, web

from lateen.cluster.node.serving.byte_pipe import BytePipe
from lateen.cluster.node.serving.remote_command import CommandOptions
from lateen.cluster.objects import Obj

V5 = "v5.channel.k8s.io"
V4 = "v4.channel.k8s.io"
V4_BASE64 = "v4.base64.channel.k8s.io"
PROTOCOLS = (V5, V4, V4_BASE64)

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
PING_SECONDS = 5.0
MAX_MESSAGE_BYTES = 4 * 1024 * 1024


async def ping_until_gone(socket: web.WebSocketResponse) -> None:
    """Returns when the connection is gone. Pongs are not waited for: a client that is held up cannot be heard."""
    with contextlib.suppress(ConnectionError):
        while not socket.closed:
            await asyncio.sleep(PING_SECONDS)
            await socket.ping()


class WebSocketStreams:
    """`CommandStreams` over one prepared WebSocket."""

    def __init__(self, socket: web.WebSocketResponse, options: CommandOptions) -> None:
        self.stdin = BytePipe()
        self.resizes = BytePipe()
        self._socket = socket
        self._options = options
        self._base64 = socket.ws_protocol == V4_BASE64
        self._sending = asyncio.Lock()

    async def greet(self) -> None:
        """An empty message: tells clients that wait for one that the connection stands."""
        channel = STDOUT if self._options.stdout else STDERR if self._options.stderr else ERROR
        await self._send(channel, b"")

    async def receive(self) -> None:
        async for message in self._socket:
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT) or not message.data:
                continue
            if self._base64:
                text = message.data if isinstance(message.data, str) else message.data.decode(errors="replace")
                try:
                    channel, data = int(text[0]), base64.b64decode(text[1:])
                except (ValueError, binascii.Error):
                    return
            else:
                raw = message.data.encode() if isinstance(message.data, str) else message.data
                channel, data = raw[0], bytes(raw[1:])
            await self._take(channel, data)

    async def watch(self) -> None:
        await ping_until_gone(self._socket)

    async def send(self, stream: str, data: bytes) -> None:
        await self._send(STDOUT if stream == "stdout" else STDERR, data)

    async def end(self, status: Obj) -> None:
        if self._socket.ws_protocol is not None:
            await self._send(ERROR, json.dumps(status).encode())
        elif status.get("status") != "Success":
            # Without a version the error is text.
            await self._send(ERROR, str(status.get("message", "")).encode())
        await self._socket.close()

    async def _take(self, channel: int, data: bytes) -> None:
        if channel == STDIN and self._options.stdin:
            await self.stdin.write(data)
        elif channel == RESIZE:
            await self.resizes.write(data)
        elif channel == CLOSE and data[:1] == bytes((STDIN,)):
            await self.stdin.end()

    async def _send(self, channel: int, data: bytes) -> None:
        async with self._sending:
            if self._base64:
                await self._socket.send_str(f"{channel}{base64.b64encode(data).decode()}")
            else:
                await self._socket.send_bytes(bytes((channel,)) + data)

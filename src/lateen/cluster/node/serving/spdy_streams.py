"""Exec and attach over SPDY: one stream per kind, named by its `streamtype` header.

Source: `k8s.io/kubelet/pkg/cri/streaming/remotecommand`.
"""

from __future__ import annotations

import asyncio
import json

from lateen.cluster.node.serving.byte_pipe import BytePipe
from lateen.cluster.node.serving.remote_command import CommandOptions
from lateen.cluster.node.serving.spdy_session import SpdySession, SpdyStream
from lateen.cluster.objects import Obj

PROTOCOLS = ("v4.channel.k8s.io",)
STREAM_CREATION_SECONDS = 30.0


class SpdyStreams:
    """`CommandStreams` over a session that is being run."""

    def __init__(self, session: SpdySession, options: CommandOptions) -> None:
        self._session = session
        self._streams: dict[str, SpdyStream] = {}
        wanted = {
            "error": True,
            "stdin": options.stdin,
            "stdout": options.stdout,
            "stderr": options.stderr and not options.tty,
            "resize": options.tty,
        }
        self._expected = {name for name, is_wanted in wanted.items() if is_wanted}
        self._none = BytePipe()

    async def accept(self) -> None:
        """Waits for the client to open all streams. Raises TimeoutError, ConnectionError."""
        async with asyncio.timeout(STREAM_CREATION_SECONDS):
            while self._expected - self._streams.keys():
                stream = await self._session.opened.get()
                if stream is None:
                    raise ConnectionResetError("the client left before it opened all streams")
                name = stream.headers.get("streamtype", "")
                if name in self._expected and name not in self._streams:
                    self._streams[name] = stream
                else:
                    await stream.reset()

    @property
    def stdin(self) -> BytePipe:
        return self._streams["stdin"].incoming if "stdin" in self._streams else self._none

    @property
    def resizes(self) -> BytePipe:
        return self._streams["resize"].incoming if "resize" in self._streams else self._none

    async def receive(self) -> None:
        while (stream := await self._session.opened.get()) is not None:
            await stream.reset()

    async def watch(self) -> None:
        # The session itself ends, and with it `receive`.
        await asyncio.Event().wait()

    async def send(self, stream: str, data: bytes) -> None:
        if stream in self._streams:
            await self._streams[stream].send(data)

    async def end(self, status: Obj) -> None:
        for name in ("stdout", "stderr"):
            if name in self._streams:
                await self._streams[name].finish()
        await self._streams["error"].send(json.dumps(status).encode())
        for stream in self._streams.values():
            await stream.finish()

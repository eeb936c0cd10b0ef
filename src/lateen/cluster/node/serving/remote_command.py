"""Running one process for a remote user: its streams, its terminal's size, its end as a `Status`.

Protocol-independent: WebSocket and SPDY both provide `CommandStreams`.
Source: `k8s.io/kubelet/pkg/cri/streaming/remotecommand`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from lateen.cluster.node.runtime import Process
from lateen.cluster.node.serving.byte_pipe import BytePipe
from lateen.cluster.objects import Obj
from lateen.cluster.status import StatusError

_CHUNK = 32 * 1024
_LINGER_SECONDS = 5.0
"""How long output is still awaited after the process has ended: a child of it may hold the streams open."""


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """Which streams the user asked for."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


class CommandStreams(Protocol):
    """The user's side."""

    @property
    def stdin(self) -> BytePipe: ...

    @property
    def resizes(self) -> BytePipe:
        """Terminal sizes as JSON objects, one after the other."""
        ...

    async def receive(self) -> None:
        """Takes in what the user sends, until the connection ends."""
        ...

    async def send(self, stream: str, data: bytes) -> None:
        """`stream` is `stdout` or `stderr`."""
        ...

    async def watch(self) -> None:
        """Returns when the user is gone, which `receive` does not notice while stdin is not taken in."""
        ...

    async def end(self, status: Obj) -> None:
        """Tells how it went and finishes all streams."""
        ...


async def run_command(
    start: Callable[[], Awaitable[Process]], streams: CommandStreams, options: CommandOptions
) -> None:
    """Runs until the process ends or the user is gone; then the process is closed."""
    receiving = asyncio.create_task(streams.receive())
    watching = asyncio.create_task(streams.watch())
    running = asyncio.create_task(_run(start, streams, options))
    tasks = (receiving, watching, running)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, ConnectionError):
            raise result


async def _run(start: Callable[[], Awaitable[Process]], streams: CommandStreams, options: CommandOptions) -> None:
    try:
        process = await start()
    except StatusError as error:
        await streams.end(error.to_json())
        return
    try:
        code = await _drive(process, streams, options)
        await streams.end(exit_status(code))
    finally:
        await process.close()


async def _drive(process: Process, streams: CommandStreams, options: CommandOptions) -> int:
    inputs = [asyncio.create_task(_resize(process, streams.resizes))] if options.tty else []
    if process.stdin is not None:
        inputs.append(asyncio.create_task(_feed(process.stdin, streams.stdin, options.tty)))
    outputs = [
        asyncio.create_task(_drain(source, name, streams))
        for name, source in (("stdout", process.stdout), ("stderr", process.stderr))
        if source is not None
    ]
    try:
        code = await process.wait()
        if outputs:
            await asyncio.wait(outputs, timeout=_LINGER_SECONDS)
        return code
    finally:
        for task in (*inputs, *outputs):
            task.cancel()
        await asyncio.gather(*inputs, *outputs, return_exceptions=True)


async def _feed(sink: asyncio.StreamWriter, source: BytePipe, tty: bool) -> None:
    try:
        while data := await source.read():
            sink.write(data)
            await sink.drain()
        if not tty:
            # A terminal stays open: its hang-up would end the process.
            sink.close()
    except ConnectionError:
        pass
    finally:
        await source.abandon()


async def _drain(source: asyncio.StreamReader, name: str, streams: CommandStreams) -> None:
    # A terminal whose last process has gone reads as an I/O error.
    with contextlib.suppress(OSError):
        while data := await source.read(_CHUNK):
            await streams.send(name, data)


async def _resize(process: Process, source: BytePipe) -> None:
    text = ""
    decoder = json.JSONDecoder()
    while data := await source.read():
        text = (text + data.decode(errors="replace")).lstrip()
        while text:
            try:
                size, end = decoder.raw_decode(text)
            except ValueError:
                text = text[-1024:]
                break
            text = text[end:].lstrip()
            if isinstance(size, dict):
                columns, rows = size.get("Width"), size.get("Height")
                if isinstance(columns, int) and isinstance(rows, int) and 0 < columns < 65536 and 0 < rows < 65536:
                    await process.resize(columns, rows)


def exit_status(code: int) -> Obj:
    """What the error stream says of an exit code."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }

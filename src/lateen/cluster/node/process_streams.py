"""Streams of a process in a container for the node: pipes or a terminal, as asyncio streams."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Awaitable, Sequence
from contextlib import ExitStack
from pathlib import Path

from lateen.cluster.node.shim_client import ShimError, ShimSession, open_session
from lateen.cluster.node.tasks import end_tasks
from lateen.cluster.node.terminal_writer import terminal_writer

_EXEC_SECONDS = 30.0


class _Reader(asyncio.StreamReader):
    """A terminal that its last process has left reads as an error: to us it is the end."""

    def set_exception(self, exc: Exception) -> None:
        if isinstance(exc, OSError):
            self.feed_eof()
        else:
            super().set_exception(exc)


async def _reader(fd: int) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    reader = _Reader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", buffering=0)
    )
    return reader, transport


async def _writer(fd: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), os.fdopen(fd, "wb", buffering=0)
    )
    return asyncio.StreamWriter(transport, protocol, None, loop)


class ContainerProcess:
    """Implements `runtime.Process` for exec and attach."""

    def __init__(self, session: ShimSession, *, attached: bool) -> None:
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._session = session
        self._attached = attached
        self._terminal = -1
        self._transports: list[asyncio.BaseTransport] = []
        self._exit_code: int | None = None

    async def use(self, name: str, fd: int) -> None:
        """Takes over our end of one stream."""
        if name == "stdin":
            self.stdin = await _writer(fd)
            return
        reader, transport = await _reader(fd)
        self._transports.append(transport)
        if name == "stdout":
            self.stdout = reader
        else:
            self.stderr = reader

    async def use_terminal(self, fd: int, *, stdin: bool) -> None:
        self._terminal = os.dup(fd)
        if stdin:
            self.stdin = terminal_writer(os.dup(fd))
        await self.use("stdout", fd)

    async def resize(self, columns: int, rows: int) -> None:
        if self._terminal >= 0:
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        elif self._attached:
            self._session.send({"op": "resize", "columns": columns, "rows": rows})

    async def wait(self) -> int:
        if self._exit_code is not None:
            return self._exit_code
        try:
            while True:
                message = await self._session.receive()
                if message.get("event") == "exited":
                    self._exit_code = int(message["exit_code"])
                    return self._exit_code
        except ShimError:
            self._exit_code = 0 if self._attached else 137
            return self._exit_code

    async def close(self) -> None:
        if self.stdin is not None:
            self.stdin.close()
        for transport in self._transports:
            transport.close()
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1
        await self._session.close()


async def execute(
    directory: Path, container_id: str, argv: Sequence[str], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
) -> ContainerProcess:
    """Starts a program in a running container. Raises ShimError with the reason when it cannot be started."""
    message: dict[str, object] = {"op": "exec", "id": container_id, "argv": list(argv), "tty": tty}
    if tty:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            session = await _bounded(open_session(directory, message, [theirs.fileno()]))
            ours.setblocking(False)
            _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        process = ContainerProcess(session, attached=False)
        await process.use_terminal(fds[0], stdin=stdin)
        return process
    return await _piped(directory, message, {"stdin": stdin, "stdout": stdout, "stderr": stderr}, attached=False)


async def attach(directory: Path, container_id: str, *, stdin: bool, stdout: bool, stderr: bool) -> ContainerProcess:
    """Joins the streams of a container's first process. Raises ShimError."""
    wanted = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
    streams = [name for name, is_wanted in wanted.items() if is_wanted]
    message: dict[str, object] = {"op": "attach", "id": container_id, "streams": streams}
    return await _piped(directory, message, wanted, attached=True)


async def _piped(
    directory: Path, message: dict[str, object], wanted: dict[str, bool], *, attached: bool
) -> ContainerProcess:
    ours: dict[str, int] = {}
    with ExitStack() as given:
        theirs = []
        for name, is_wanted in wanted.items():
            if not is_wanted:
                if not attached:
                    null = os.open("/dev/null", os.O_RDWR)
                    given.callback(os.close, null)
                    theirs.append(null)
                continue
            read, write = os.pipe()
            ours[name], other = (write, read) if name == "stdin" else (read, write)
            given.callback(os.close, other)
            theirs.append(other)
        try:
            session = await _bounded(open_session(directory, message, theirs))
        except BaseException:
            for fd in ours.values():
                os.close(fd)
            raise
    process = ContainerProcess(session, attached=attached)
    for name, fd in ours.items():
        await process.use(name, fd)
    return process


async def _bounded(opening: Awaitable[ShimSession]) -> ShimSession:
    async with asyncio.timeout(_EXEC_SECONDS):
        return await opening


async def run_captured(directory: Path, container_id: str, argv: Sequence[str], limit: int) -> tuple[int, str]:
    """Runs a program to its end: exit code, and the first `limit` bytes of both outputs. Raises ShimError."""
    process = await execute(directory, container_id, argv, stdin=False, stdout=True, stderr=True, tty=False)
    output = bytearray()

    async def collect(reader: asyncio.StreamReader | None) -> None:
        while reader is not None and (data := await reader.read(4096)):
            output.extend(data[: max(0, limit - len(output))])

    collectors = [asyncio.create_task(collect(r)) for r in (process.stdout, process.stderr)]
    try:
        code = await process.wait()
        # A child that outlives the program may hold its output open: it is not awaited.
        await asyncio.wait(collectors, timeout=0.1)
    finally:
        await end_tasks(*collectors)
        await process.close()
    return code, output.decode(errors="replace")

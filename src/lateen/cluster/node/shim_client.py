"""The node's side of a pod's shim: starts it, finds it again, and speaks to it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from lateen.cluster.node.shim import main as shim_main
from lateen.cluster.node.shim import messages
from lateen.cluster.node.shim.messages import Decoder, MessageError
from lateen.cluster.node.tasks import end_tasks

Message = dict[str, Any]
ContainerState = dict[str, Any]
"""What `shim.container.Container.state` says."""

_SOURCE_ROOT = Path(shim_main.__file__).parents[4]
_PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop(1)); from lateen.cluster.node.shim.main import main; main()"
_START_SECONDS = 20.0
_ANSWER_SECONDS = 20.0


class ShimError(RuntimeError):
    """The shim is gone, does not answer, or could not do what it was asked."""


async def start_shim(directory: Path, config: dict[str, Any]) -> None:
    """Starts the shim of the pod in `directory`. Returns once it serves. Raises ShimError.

    `config`: `netns` (path or empty), `hostname`, `ipc` and `uts` (whether the pod has its own), `pid` (`container`,
    `pod` or `host`), `tmpfs` (list of `target`, `options`), `sysctls`.
    """
    (directory / shim_main.CONFIG).write_text(json.dumps(config))
    process = _spawn(directory)
    try:
        async with asyncio.timeout(_START_SECONDS):
            answer = await _read_to_end(process)
    except BaseException:
        process.kill()
        raise
    finally:
        await asyncio.to_thread(process.wait)
    if answer != b"ready":
        raise ShimError(f"failed to start sandbox: {answer.decode(errors='replace') or 'the shim ended'}")


def _spawn(directory: Path) -> subprocess.Popen[bytes]:
    # Not the event loop's own way to start processes: it forks, and to copy this process' memory maps alone takes
    # longer than this, which is a vfork.
    with open(directory / "shim.log", "ab") as errors:
        return subprocess.Popen(
            [os.path.realpath(sys.executable), "-I", "-S", "-c", _PROGRAM, str(_SOURCE_ROOT), str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            cwd="/",
            env={},
        )


async def _read_to_end(process: subprocess.Popen[bytes]) -> bytes:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
    try:
        return await reader.read()
    finally:
        transport.close()


async def _connect(directory: Path) -> socket.socket:
    """A socket's address has at most 107 bytes, a pod's directory may have more: it is reached by descriptor."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        fd = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        try:
            sock.connect(f"/proc/self/fd/{fd}/{shim_main.SOCKET}")
        finally:
            os.close(fd)
    except OSError as error:
        sock.close()
        raise ShimError(f"the pod's shim is gone: {error}") from None
    return sock


class ShimSession:
    """One conversation about one process (`exec`, `attach`)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder()
        self._received: list[Message] = []

    async def receive(self) -> Message:
        """The next message. Raises ShimError when the shim has gone."""
        while not self._received:
            data = await self._reader.read(65536)
            if not data:
                raise ShimError("the pod's shim is gone")
            self._received.extend(self._decoder.feed(data))
        return self._received.pop(0)

    def send(self, message: Message) -> None:
        self._writer.write(messages.encode(message))

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


async def open_session(directory: Path, message: Message, descriptors: Sequence[int]) -> ShimSession:
    """Sends `message` with `descriptors` (the caller closes its own) and waits for `started`. Raises ShimError."""
    sock = await _connect(directory)
    data = messages.encode(message)
    try:
        # The first byte carries the descriptors; the rest may be more than the socket takes at once.
        socket.send_fds(sock, [data[:1]], list(descriptors)) if descriptors else sock.send(data[:1])
        reader, writer = await asyncio.open_unix_connection(sock=sock)
    except OSError as error:
        sock.close()
        raise ShimError(str(error)) from None
    session = ShimSession(reader, writer)
    writer.write(data[1:])
    try:
        answer = await session.receive()
    except BaseException:
        await session.close()
        raise
    if answer.get("event") != "started":
        await session.close()
        raise ShimError(str(answer.get("error") or answer))
    return session


class Shim:
    """The node's control connection to one pod's shim. Use `connected` to make one."""

    def __init__(
        self,
        directory: Path,
        session: ShimSession,
        on_change: Callable[[ContainerState], None],
        on_gone: Callable[[], None],
    ) -> None:
        self.directory = directory
        self.pid = 0
        self.states: dict[str, ContainerState] = {}
        """By container id: the last known state of every attempt that the shim knows."""
        self._session = session
        self._on_change = on_change
        self._on_gone = on_gone
        self._answers: dict[int, asyncio.Future[Message]] = {}
        self._asked = 0
        self.gone = asyncio.Event()

    async def _receive(self) -> None:
        try:
            while True:
                message = await self._session.receive()
                if message.get("event") == "container":
                    state = message["container"]
                    self.states[state["id"]] = state
                    self._on_change(state)
                elif (waiting := self._answers.pop(int(message["to"]), None)) is not None and not waiting.done():
                    waiting.set_result(message)
        except (ShimError, MessageError, OSError):
            self.gone.set()
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(ShimError("the pod's shim is gone"))
            self._answers.clear()
            self._on_gone()

    async def _ask(self, message: Message) -> Message:
        if self.gone.is_set():
            raise ShimError("the pod's shim is gone")
        self._asked += 1
        waiting: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._answers[self._asked] = waiting
        self._session.send(message | {"n": self._asked})
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await waiting
        except TimeoutError:
            raise ShimError("the pod's shim does not answer") from None
        if "error" in answer:
            raise ShimError(str(answer["error"]))
        return answer

    async def hello(self) -> None:
        answer = await self._ask({"op": "hello"})
        self.pid = int(answer["pid"])
        self.states = {state["id"]: state for state in answer["containers"]}

    async def start(self, container: dict[str, Any]) -> None:
        """Returns when the container's process exists; `on_change` tells how it went on."""
        await self._ask({"op": "start", "container": container})

    async def signal(self, container_id: str, number: int) -> None:
        await self._ask({"op": "signal", "id": container_id, "signal": number})

    async def shut_down(self) -> None:
        """Ends the shim and with it all processes of the pod. Nothing happens when it is gone already."""
        with suppress(ShimError):
            await self._ask({"op": "shutdown"})


@asynccontextmanager
async def connected(
    directory: Path, on_change: Callable[[ContainerState], None], on_gone: Callable[[], None]
) -> AsyncIterator[Shim]:
    """The connection to the shim in `directory`, whose states are known on entry. Raises ShimError."""
    sock = await _connect(directory)
    reader, writer = await asyncio.open_unix_connection(sock=sock)
    session = ShimSession(reader, writer)
    shim = Shim(directory, session, on_change, on_gone)
    receiver = asyncio.create_task(shim._receive())
    try:
        await shim.hello()
        yield shim
    finally:
        await end_tasks(receiver)
        await session.close()

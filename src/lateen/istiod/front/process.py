"""One run of the front's Envoy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

_POLL_SECONDS: Final = 0.02
_START_SECONDS: Final = 20.0
_END_SECONDS: Final = 2.0
_TEXT: Final = "%Y-%m-%dT%T.%fZ\t%l\tfront.%n\t%v"
_JSON: Final = '{"level":"%l","time":"%Y-%m-%dT%T.%fZ","scope":"front.%n","msg":"%j"}'
_BECOME: Final = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""What the child is before it is Envoy: it has the kernel end it with its parent. That could be done between fork and
exec, but forks of a process in which gRPC runs disturb gRPC; this way none is needed (vfork)."""


class FrontFailed(OSError):
    """The front does not run; the message says how it ended."""


class Child:
    """A process of ours, to be waited for without threads and signals."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), *command], env={}, stdin=subprocess.DEVNULL
        )
        self.pid = self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    async def wait(self) -> int:
        """Its exit status, or the negative number of the signal that ended it."""
        if not self.ended:
            loop = asyncio.get_running_loop()
            over = asyncio.Event()
            descriptor = os.pidfd_open(self.pid)
            try:
                loop.add_reader(descriptor, over.set)
                await over.wait()
            finally:
                loop.remove_reader(descriptor)
                os.close(descriptor)
        return self._process.wait()

    async def end(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough."""
        self._process.terminate()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await self.wait()
        except TimeoutError:
            self._process.kill()
            await self.wait()


@contextlib.asynccontextmanager
async def running(envoy: Path, config: Path, admin: Path, *, json_logs: bool) -> AsyncIterator[tuple[Child, int]]:
    """A front that listens, and at which port. It is ended when the context is left, and with this process.

    Raises FrontFailed when it ends before it listens, or takes too long. To be called from the main thread: the kernel
    takes the end of the thread for that of the process.
    """
    child = Child(
        [
            str(envoy), "-c", str(config), "--disable-hot-restart", "--concurrency", "1", "-l", "warning",
            "--log-format", _JSON if json_logs else _TEXT,
        ]
    )  # fmt: skip
    try:
        yield child, await _port(child, admin)
    finally:
        await child.end()


async def _port(child: Child, admin: Path) -> int:
    """Once all that it needs is there."""
    try:
        async with (
            asyncio.timeout(_START_SECONDS),
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(admin))) as session,
        ):
            while not child.ended:
                with contextlib.suppress(OSError, aiohttp.ClientError, ValueError, LookupError):
                    async with session.get("http://front/ready") as answer:
                        live = answer.status == 200
                    if live:
                        async with session.get("http://front/listeners?format=json") as answer:
                            found = msgspec.json.decode(await answer.read())
                        address = found["listener_statuses"][0]["local_address"]["socket_address"]
                        return int(address["port_value"])
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise FrontFailed(f"Envoy did not listen within {_START_SECONDS:.0f} s") from None
    raise FrontFailed(f"Envoy ended with {await child.wait()}")

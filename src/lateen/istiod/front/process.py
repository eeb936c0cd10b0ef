"""One run of the front's Envoy."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

_PR_SET_PDEATHSIG: Final = 1
_POLL_SECONDS: Final = 0.02
_START_SECONDS: Final = 20.0
_END_SECONDS: Final = 2.0
_TEXT: Final = "%Y-%m-%dT%T.%fZ\t%l\tfront.%n\t%v"
_JSON: Final = '{"level":"%l","time":"%Y-%m-%dT%T.%fZ","scope":"front.%n","msg":"%j"}'


class FrontFailed(OSError):
    """The front does not run; the message says how it ended."""


@contextlib.asynccontextmanager
async def running(
    envoy: Path, config: Path, admin: Path, *, json_logs: bool
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """A front that listens, and at which port. It is ended when the context is left, and with this process.

    Raises FrontFailed when it ends before it listens, or takes too long.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def die_with_parent() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    process = await asyncio.create_subprocess_exec(
        str(envoy), "-c", str(config), "--disable-hot-restart", "--concurrency", "1", "-l", "warning",
        "--log-format", _JSON if json_logs else _TEXT,
        preexec_fn=die_with_parent, env={},
    )  # fmt: skip
    try:
        yield process, await _port(process, admin)
    finally:
        await _end(process)


async def _port(process: asyncio.subprocess.Process, admin: Path) -> int:
    """Once all that it needs is there."""
    try:
        async with (
            asyncio.timeout(_START_SECONDS),
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(admin))) as session,
        ):
            while process.returncode is None:
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
    raise FrontFailed(f"Envoy ended with {process.returncode}")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

"""Runs `ip`, `nft` and `conntrack`: many operations per process, arguments never through a shell."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from lateen.cluster.network.standard_input import standard_input

TIMEOUT_SECONDS = 30.0


class CommandError(Exception):
    """A program failed: what it was asked and what it said."""

    def __init__(self, argv: Sequence[str], code: int | None, output: str) -> None:
        super().__init__(f"{' '.join(argv)}: exit code {code}: {output.strip()}")
        self.code = code
        self.output = output


def _ip_argv(namespace: Path | None, keep_going: bool) -> list[str]:
    # `ip -n` takes names only, and mounts a /sys of its own each time.
    return [*_enter(namespace), "ip", *(["-force"] if keep_going else []), "-batch", "-"]


def _enter(namespace: Path | None) -> list[str]:
    return ["nsenter", f"--net={namespace}", "--"] if namespace else []


def _batch(commands: Iterable[str]) -> bytes:
    return ("\n".join(commands) + "\n").encode()


def ip_batch(commands: Sequence[str], *, namespace: Path | None = None, keep_going: bool = False) -> None:
    """Runs `ip` commands (without the leading `ip`) in one process, in `namespace`. Raises CommandError at the first
    that fails; with `keep_going` failures are ignored."""
    if commands:
        run(_ip_argv(namespace, keep_going), _batch(commands), check=not keep_going)


async def ip_batch_async(commands: Sequence[str], *, namespace: Path | None = None, keep_going: bool = False) -> None:
    """`ip_batch` without blocking the event loop."""
    if commands:
        await run_async(_ip_argv(namespace, keep_going), _batch(commands), check=not keep_going)


def nft(script: str, *, namespace: Path | None = None) -> None:
    """Applies an nftables script as one transaction. Raises CommandError: then nothing of it was applied."""
    run([*_enter(namespace), "nft", "-f", "-"], script.encode())


async def nft_async(script: str, *, namespace: Path | None = None) -> None:
    """`nft` without blocking the event loop."""
    await run_async([*_enter(namespace), "nft", "-f", "-"], script.encode())


def run(argv: Sequence[str], data: bytes = b"", *, check: bool = True) -> str:
    """Runs a program to its end: its standard output. Raises CommandError on failure when `check`."""
    try:
        done = subprocess.run(argv, input=data, capture_output=True, timeout=TIMEOUT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(argv, None, str(error)) from error
    if check and done.returncode != 0:
        raise CommandError(argv, done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout.decode(errors="replace")


async def run_async(argv: Sequence[str], data: bytes = b"", *, check: bool = True) -> str:
    """`run` without blocking the event loop; a cancelled or late program is killed."""
    pipe = asyncio.subprocess.PIPE
    try:
        with standard_input(data) as given:
            process = await asyncio.create_subprocess_exec(*argv, stdin=given, stdout=pipe, stderr=pipe)
    except OSError as error:
        raise CommandError(argv, None, str(error)) from error
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            output, errors = await process.communicate()
    except TimeoutError as error:
        raise CommandError(argv, None, f"no end after {TIMEOUT_SECONDS:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if check and process.returncode != 0:
        raise CommandError(argv, process.returncode, errors.decode(errors="replace"))
    return output.decode(errors="replace")

from __future__ import annotations

import asyncio
import sys

import pytest
import uvloop

from lateen.cluster.network.commands import CommandError, run_async


async def test_a_program_gets_its_input() -> None:
    data = b"x" * 1_000_000
    assert await run_async([sys.executable, "-c", "import sys; print(len(sys.stdin.buffer.read()))"], data) == (
        "1000000\n"
    )
    assert await run_async(["cat", "/dev/stdin"], b"by name") == "by name"
    assert await run_async(["cat"]) == ""


def test_a_program_may_end_without_reading_its_input() -> None:
    async def many() -> None:
        # On the processes' own loop, where a pipe whose reader is gone is no ordinary error.
        await asyncio.gather(*(run_async(["true"], b"x" * 1_000_000) for _ in range(20)))

    uvloop.run(many())


async def test_a_failure_says_what_the_program_said() -> None:
    with pytest.raises(CommandError, match="no such luck") as caught:
        await run_async(["sh", "-c", "echo no such luck >&2; exit 3"])
    assert caught.value.code == 3
    assert await run_async(["sh", "-c", "echo some; exit 3"], check=False) == "some\n"
    with pytest.raises(CommandError):
        await run_async(["/no/such/program"])

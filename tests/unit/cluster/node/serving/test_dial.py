from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lateen.cluster.node.serving.dial import dial_loopback


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_either_loopback(address: str) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async with await asyncio.start_server(greet, address, 0) as server:
        reader, writer = await dial_loopback(None, server.sockets[0].getsockname()[1])
        assert await reader.read() == b"hello"
        writer.close()


async def test_nobody_listens() -> None:
    with pytest.raises(ConnectionRefusedError):
        await dial_loopback(None, 1)


async def test_a_namespace_that_has_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await dial_loopback(tmp_path / "none", 80)

"""A port of this machine that leads to a port of a pod."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from lateen.inspection.port_forward import Pod, carry
from lateen.sources.kubernetes.client import Client


@asynccontextmanager
async def forwarding(
    client: Client, pod: Pod, port: int, address: str, wishes: Sequence[int], say: Callable[[str], None]
) -> AsyncIterator[int]:
    """Listens at the first of `wishes` that is free (0 is any), and gives that port. Connections end with the context.

    `say` is told what goes wrong with one. Raises OSError when no port can be had.
    """
    carried: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = await carry(client, pod, port, reader, writer)
        if fault:
            say(fault)

    def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(one(reader, writer))
        carried.add(task)
        task.add_done_callback(carried.discard)

    server = await _listen(arrived, address, wishes)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        ending = tuple(carried)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)


async def _listen(
    arrived: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None], address: str, wishes: Sequence[int]
) -> asyncio.Server:
    # Not both families: a port that is any would be two.
    host = "127.0.0.1" if address == "localhost" else address
    for wish in wishes[:-1]:
        try:
            return await asyncio.start_server(arrived, host, wish)
        except OSError:
            continue
    return await asyncio.start_server(arrived, host, wishes[-1])

"""Lines over TCP, sent back with a prefix: `python -m lateen.samples.tcp_echo 9000,9001 hello`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from lateen.samples.serving import say, until_told_to_end

_MAX_LINE = 1 << 20


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, prefix: bytes) -> None:
    try:
        # A last line without its end is no line.
        while (line := await reader.readuntil(b"\n")) is not None:
            say(f"request: {line.decode(errors='replace').rstrip()}")
            writer.write(prefix + b" " + line)
            await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        pass
    finally:
        writer.close()


@asynccontextmanager
async def listening(ports: Sequence[int], prefix: str, *, host: str | None = None) -> AsyncIterator[list[int]]:
    """Serves until the context ends, which ends the connections. The value: the real ports. Raises OSError."""
    connections: set[asyncio.StreamWriter] = set()
    servers: list[asyncio.Server] = []

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        try:
            await _echo(reader, writer, prefix.encode())
        finally:
            connections.discard(writer)

    try:
        for port in ports:
            servers.append(await asyncio.start_server(connection, host, port, limit=_MAX_LINE, backlog=1024))
        yield [int(server.sockets[0].getsockname()[1]) for server in servers]
    finally:
        for server in servers:
            server.close()
        for writer in list(connections):
            writer.close()
        for server in servers:
            await server.wait_closed()


async def _serve(ports: Sequence[int], prefix: str) -> None:
    async with listening(ports, prefix) as found:
        say(f"listening on {', '.join(map(str, found))}, prefix: {prefix}")
        await asyncio.sleep(await until_told_to_end())


def ports_of(text: str) -> list[int]:
    """`9000,9001` as numbers. Raises argparse.ArgumentTypeError."""
    found = [int(each) for each in text.split(",") if each.isdecimal() and 0 < int(each) < 65536]
    if len(found) != len(text.split(",")):
        raise argparse.ArgumentTypeError(f"{text!r}: expected ports, joined by commas")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Lines over TCP, sent back with a prefix")
    parser.add_argument("ports", type=ports_of, help="as 9000,9001")
    parser.add_argument("prefix")
    chosen = parser.parse_args()
    try:
        asyncio.run(_serve(chosen.ports, chosen.prefix))
    except OSError as error:
        sys.exit(f"cannot listen: {error}")


if __name__ == "__main__":
    main()

"""`nc HOST PORT`: standard input to a TCP connection, what comes back to standard output, until the other side ends.

For pods of the curl images on a machine that has no netcat of its own: tasks about TCP call it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys

_CHUNK = 1 << 16


async def _send_input(writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.run_in_executor(None, os.read, 0, _CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def converse(host: str, port: int, seconds: float) -> None:
    """Returns when the other side has ended. Raises OSError, TimeoutError when it is not reached in `seconds`."""
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection(host, port)
    sending = asyncio.create_task(_send_input(writer))
    try:
        while data := await reader.read(_CHUNK):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await sending
        writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="nc", allow_abbrev=False)
    parser.add_argument("-w", type=float, default=30.0, metavar="SECONDS", help="how long to try to connect (30)")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    chosen = parser.parse_args()
    try:
        asyncio.run(converse(chosen.host, chosen.port, chosen.w))
    except (OSError, OverflowError) as error:
        sys.exit(f"nc: {chosen.host} {chosen.port}: {error or 'no connection in time'}")


if __name__ == "__main__":
    main()

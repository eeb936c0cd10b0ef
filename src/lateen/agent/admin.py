"""Envoy's admin interface: one request, one connection."""

from __future__ import annotations

import asyncio

__all__ = ["AdminError", "ask"]

_MOST = 64 * 1024 * 1024
"""Bytes of an answer."""


class AdminError(OSError):
    """Envoy did not answer, or not with what was expected; says what."""


async def ask(
    admin: tuple[str, int], path: str, *, method: str = "GET", timeout: float = 5.0, most: int = _MOST
) -> bytes:
    """The body of the answer with status 200. `timeout` in seconds. Raises AdminError."""
    try:
        async with asyncio.timeout(timeout):
            status, body = await _request(admin, method, path, most)
    except TimeoutError:
        raise AdminError(f"Envoy's admin interface did not answer {path} within {timeout:g} s") from None
    except (OSError, EOFError, ValueError) as problem:
        raise AdminError(f"Envoy's admin interface: {path}: {problem}") from None
    if status != 200:
        raise AdminError(f"Envoy's admin interface: {path}: {status} {body[:200].decode(errors='replace').strip()}")
    return body


async def _request(admin: tuple[str, int], method: str, path: str, most: int) -> tuple[int, bytes]:
    """HTTP/1.0 as far as the answer goes: Envoy then closes, and sends no chunks."""
    reader, writer = await asyncio.open_connection(*admin)
    try:
        writer.write(f"{method} {path} HTTP/1.0\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        body = bytearray()
        while more := await reader.read(65_536):
            body += more
            if len(body) > most:
                raise ValueError(f"the answer has more than {most} bytes")
        return status, bytes(body)
    finally:
        writer.close()

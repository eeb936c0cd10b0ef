"""Envoy's admin interface: one request, one connection."""

from __future__ import annotations

import asyncio

from lateen.agent.http_client import Origin, request

__all__ = ["AdminError", "ask"]

_MOST = 64 * 1024 * 1024
"""Bytes of an answer."""


class AdminError(OSError):
    """Envoy did not answer, or not with what was expected; says what."""


async def ask(
    admin: tuple[str, int], path: str, *, method: str = "GET", timeout: float = 5.0, most: int = _MOST
) -> bytes:
    """The body of the answer with status 200, cut after `most` bytes. `timeout` in seconds. Raises AdminError."""
    try:
        async with asyncio.timeout(timeout), request(Origin(*admin), method, path) as answer:
            body = await answer.read(most)
    except TimeoutError:
        raise AdminError(f"Envoy's admin interface did not answer {path} within {timeout:g} s") from None
    except OSError as problem:
        raise AdminError(f"Envoy's admin interface: {path}: {problem}") from None
    if answer.status != 200:
        words = body[:200].decode(errors="replace").strip()
        raise AdminError(f"Envoy's admin interface: {path}: {answer.status} {words}")
    return body

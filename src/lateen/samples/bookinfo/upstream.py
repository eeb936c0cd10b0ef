"""Requests to the services behind, each on a connection of its own.

A kept connection would stay with one pod of a Service where there is no mesh to spread requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

_MAX_BODY = 1 << 20


class Unavailable(Exception):
    """No usable answer. `status` is the service's, or 500 when there was none."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def session() -> aiohttp.ClientSession:
    """A client whose cookies are nobody's: what goes along is what a request is given."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, limit=0, ttl_dns_cache=5),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def get_json(client: aiohttp.ClientSession, url: str, headers: Mapping[str, str], *, seconds: float) -> Any:
    """The JSON at `url`, within `seconds`. Raises Unavailable for anything but a 200 with JSON."""
    try:
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with client.get(url, headers=dict(headers), timeout=timeout, allow_redirects=False) as response:
            if response.status != 200:
                raise Unavailable(response.status, f"{url}: status {response.status}")
            body = await response.content.read(_MAX_BODY + 1)
            while len(body) <= _MAX_BODY and (more := await response.content.read(_MAX_BODY + 1)):
                body += more
            if len(body) > _MAX_BODY:
                raise Unavailable(500, f"{url}: more than {_MAX_BODY} bytes")
            return json.loads(body)
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        raise Unavailable(500, f"{url}: {type(error).__name__} {error}".rstrip()) from error

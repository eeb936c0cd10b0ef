"""GET over HTTPS, for the keys of issuers."""

from __future__ import annotations

import ssl
from typing import Final

import aiohttp

_LARGEST: Final = 1024 * 1024
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=5)


async def fetch(url: str, context: ssl.SSLContext | None = None) -> bytes:
    """The body of a URL, at most 1 MiB. Raises OSError unless it answers 200; redirects are not followed.

    `context`: whom to trust; None: whom the system does.
    """
    connector = aiohttp.TCPConnector(ssl=context if context is not None else True)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as session,
            session.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as response,
        ):
            if response.status != 200:
                raise OSError(f"{url}: HTTP status {response.status}")
            body = await response.content.read(_LARGEST + 1)
            while len(body) <= _LARGEST and (more := await response.content.read(_LARGEST + 1 - len(body))):
                body += more
            if len(body) > _LARGEST:
                raise OSError(f"{url}: more than {_LARGEST} bytes")
            return body
    except aiohttp.ClientError as error:
        raise OSError(f"{url}: {str(error) or type(error).__name__}") from error

"""Relaying a plain request and its streamed answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from lateen.cluster.apiserver.streaming.backend import Backend
from lateen.cluster.apiserver.streaming.upgrade_relay import DIAL_SECONDS, backend_error, unreachable

_CHUNK = 64 * 1024
_MAX_ERROR_BYTES = 64 * 1024
_LOOK_SECONDS = 1.0
_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_NOT_FORWARDED = _HOP_BY_HOP | {"authorization", "host", "content-length"}


def forwarded_headers(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """A request's headers without those of the connection and without the user's credentials for the API server."""
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lower = name.lower()
        if lower not in _NOT_FORWARDED and not lower.startswith("impersonate-"):
            kept.add(name, value)
    return kept


async def relay_http(
    request: web.BaseRequest,
    backend: Backend,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors_as_status: bool = False,
) -> web.StreamResponse:
    """Sends the request on to `path` (with its query, encoded) and streams the answer back.

    With `errors_as_status` an error answer is raised as StatusError; else it is the user's as any other. Raises
    service unavailable where the backend does not answer.
    """
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=DIAL_SECONDS)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
        timeout=timeout,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        try:
            answer = await session.request(
                request.method,
                URL(backend.url + path, encoded=True),
                headers=headers,
                data=request.content if request.can_read_body else None,
                ssl=backend.tls or True,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Content-Type", "Accept-Encoding"),
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unreachable(backend, error) from error
        async with answer:
            if errors_as_status and answer.status >= 400:
                raise backend_error(answer.status, await answer.content.read(_MAX_ERROR_BYTES))
            return await _stream(request, answer)


async def _stream(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, reason=answer.reason)
    for name, value in answer.headers.items():
        if name.lower() not in _HOP_BY_HOP:
            response.headers.add(name, value)
    await response.prepare(request)
    copying = asyncio.create_task(_copy(answer, response))
    leaving = asyncio.create_task(_client_gone(request))
    try:
        await asyncio.wait((copying, leaving), return_when=asyncio.FIRST_COMPLETED)
        if copying.done():
            await copying
    finally:
        copying.cancel()
        leaving.cancel()
        await asyncio.gather(copying, leaving, return_exceptions=True)
    return response


async def _copy(answer: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
    with contextlib.suppress(aiohttp.ClientPayloadError, ConnectionError):
        async for chunk in answer.content.iter_chunked(_CHUNK):
            await response.write(chunk)
        await response.write_eof()
        return
    # The backend broke off: so does the answer, lest it look complete.
    response.force_close()


async def _client_gone(request: web.BaseRequest) -> None:
    """Returns when the connection is closed: an idle stream would not notice."""
    while request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(_LOOK_SECONDS)

"""`/containerLogs/NAMESPACE/POD/CONTAINER`."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Mapping

from aiohttp import web

from lateen.cluster.node.runtime import LogFiles, Runtime
from lateen.cluster.node.serving.log_reading import LogOptions, read_log
from lateen.cluster.objects import parse_timestamp
from lateen.cluster.status import bad_request

_LOOK_SECONDS = 1.0
_TRUE = frozenset(("1", "t", "T", "true", "True", "TRUE"))


def is_true(query: Mapping[str, str], name: str) -> bool:
    """A boolean parameter as Go's `strconv.ParseBool` reads it."""
    return query.get(name, "") in _TRUE


def log_options(query: Mapping[str, str], now: dt.datetime) -> LogOptions:
    """Reads `PodLogOptions` from a query. Raises bad request."""
    since = None
    if query.get("sinceSeconds"):
        since = now - dt.timedelta(seconds=_positive(query, "sinceSeconds", 1) or 0)
    elif query.get("sinceTime"):
        try:
            since = parse_timestamp(query["sinceTime"])
        except ValueError:
            raise bad_request(f"invalid sinceTime {query['sinceTime']!r}: expected RFC 3339") from None
        if since.tzinfo is None:
            raise bad_request(f"invalid sinceTime {query['sinceTime']!r}: expected a zone")
    stream = query.get("stream") or "All"
    if stream not in ("All", "Stdout", "Stderr"):
        raise bad_request(f"invalid stream {stream!r}: supported values: All, Stderr, Stdout")
    if stream != "All" and query.get("tailLines"):
        raise bad_request("`tailLines` and specific `stream` are mutually exclusive for now")
    return LogOptions(
        follow=is_true(query, "follow"),
        timestamps=is_true(query, "timestamps"),
        tail_lines=_positive(query, "tailLines", 0),
        limit_bytes=_positive(query, "limitBytes", 1),
        since=since,
        stream=stream,
    )


def _positive(query: Mapping[str, str], name: str, least: int) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        value = int(text)
    except ValueError:
        raise bad_request(f"invalid {name} {text!r}: expected an integer") from None
    if not least <= value < 1 << 62:
        raise bad_request(f"invalid {name} {value}: must be greater than or equal to {least}")
    return value


async def serve_log(request: web.Request, runtime: Runtime) -> web.StreamResponse:
    """Streams the log as plain text. Raises StatusError as the runtime does."""
    path = request.match_info
    options = log_options(request.query, dt.datetime.now(dt.UTC))
    previous = is_true(request.query, "previous")
    files = runtime.logs(path["namespace"], path["pod"], path["container"], previous=previous)
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        writing = asyncio.create_task(_write(response, files, options))
        leaving = asyncio.create_task(client_gone(request))
        try:
            await asyncio.wait((writing, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            writing.cancel()
            leaving.cancel()
            results = await asyncio.gather(writing, leaving, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
        await response.write_eof()
    return response


async def _write(response: web.StreamResponse, files: LogFiles, options: LogOptions) -> None:
    async for text in read_log(files, options):
        await response.write(text)


async def client_gone(request: web.BaseRequest) -> None:
    """Returns when the connection is closed: an answer that has nothing to send would not notice."""
    while request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(_LOOK_SECONDS)

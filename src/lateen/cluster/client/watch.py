"""A watch: the stream of changes that the API server sends, one JSON document a line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import NamedTuple

import aiohttp
import msgspec

from lateen.cluster.objects import Obj
from lateen.cluster.status import StatusError, internal_error, service_unavailable, timeout

MAX_EVENT = 32 << 20
"""Bytes of one event; the API server's own limit of an object is a fraction of this."""


class WatchEvent(NamedTuple):
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Obj


class _Line(msgspec.Struct):
    type: str
    object: Obj


class Watch:
    """`async with client.watch(...) as watch: async for event in watch`: ends when the server ends it.

    Raises StatusError: what the server answered or sent as an ERROR event (410 `Expired` among them), 503 when
    the connection broke.
    """

    def __init__(self, opening: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> None:
        self._opening = opening
        self._response: aiohttp.ClientResponse | None = None
        self._decoder = msgspec.json.Decoder(_Line)

    async def __aenter__(self) -> Watch:
        try:
            self._response = await self._opening.__aenter__()
        except TimeoutError:
            raise timeout("the watch was not answered") from None
        except (aiohttp.ClientError, OSError) as error:
            raise service_unavailable(f"the watch cannot be opened: {error}") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._response is not None:
            # An unread stream cannot go back to the pool, and must not wait for its end.
            self._response.close()
        await self._opening.__aexit__(kind, error, trace)

    async def __aiter__(self) -> AsyncIterator[WatchEvent]:
        async for batch in self.batches():
            for event in batch:
                yield event

    async def batches(self) -> AsyncIterator[list[WatchEvent]]:
        """The events in the groups they arrived in: lets a consumer work once a group."""
        if self._response is None:
            raise RuntimeError("the watch is not open")
        rest = bytearray()
        try:
            async for chunk in self._response.content.iter_any():
                rest += chunk
                end = rest.rfind(b"\n", len(rest) - len(chunk))
                if end < 0:
                    if len(rest) > MAX_EVENT:
                        raise internal_error(f"a watch event is larger than {MAX_EVENT} bytes")
                    continue
                lines = bytes(rest[:end])
                del rest[: end + 1]
                events, failure = self._decode(lines)
                if events:
                    yield events
                if failure is not None:
                    raise failure
        except TimeoutError:
            raise timeout("the watch was silent for longer than it may last") from None
        except (aiohttp.ClientError, OSError) as error:
            raise service_unavailable(f"the watch broke: {error}") from None

    def _decode(self, lines: bytes) -> tuple[list[WatchEvent], StatusError | None]:
        events: list[WatchEvent] = []
        try:
            for line in self._decoder.decode_lines(lines):
                if line.type == "ERROR":
                    return events, StatusError.from_json(line.object, int(line.object.get("code") or 500))
                events.append(WatchEvent(line.type, line.object))
        except (msgspec.DecodeError, ValueError) as error:
            return events, internal_error(f"a watch event cannot be read: {error}")
        return events, None

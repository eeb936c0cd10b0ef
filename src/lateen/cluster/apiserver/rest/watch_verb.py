"""The watch verb: initial events, changes, bookmarks, until the client, the timeout or the server ends it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

from aiohttp import web

from lateen.cluster.apiserver.rest.options import ListOptions
from lateen.cluster.apiserver.rest.presentation import Presentation, frame
from lateen.cluster.apiserver.rest.response import JSON
from lateen.cluster.apiserver.rest.selection import Matcher, matcher, select
from lateen.cluster.apiserver.store.event import ADDED, DELETED, MODIFIED, Event
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.apiserver.store.watch import Watch
from lateen.cluster.status import StatusError

_DEFAULT_TIMEOUT = 1800.0
"""Seconds (to twice that) a watch lasts when the client names no time."""
_BOOKMARK_INTERVAL = 60.0
_LIVENESS_INTERVAL = 5.0
"""Seconds after which an idle watch looks whether its client is still there."""
_BATCH = 256
"""Events sent at once, before others get their turn."""
_BATCH_BYTES = 1 << 20
"""Bytes from which no more events are put into one write: what a client does not read waits in memory."""


async def watch_objects(
    http: web.Request, store: Store, presentation: Presentation, namespace: str, options: ListOptions
) -> web.StreamResponse:
    """Answers a watch. Raises StatusError 400 before anything is sent; later faults are ERROR events."""
    matches = matcher(presentation.kind, options)
    response = web.StreamResponse(headers={"Content-Type": JSON, "Cache-Control": "no-cache, private"})
    try:
        watch, initial = _begin(store, presentation, namespace, options)
    except StatusError as error:
        await response.prepare(http)
        await response.write(frame("ERROR", error.to_json()))
        return response
    with watch:
        watch.on_overflow = lambda: _abort(http)
        await response.prepare(http)
        stream = _Stream(http, response, store, watch, presentation, options, matches)
        try:
            for chunk in initial:
                await response.write(chunk)
            await stream.run()
            await response.write_eof()
        except StatusError as error:
            await response.write(frame("ERROR", error.to_json()))
        except ConnectionError:
            # The client is gone.
            pass
    return response


def _begin(
    store: Store, presentation: Presentation, namespace: str, options: ListOptions
) -> tuple[Watch, Iterator[bytes]]:
    """The watch, and the events of what is there already where the client wants them."""
    kind = presentation.kind
    wants_initial = options.send_initial_events
    if wants_initial is None:
        wants_initial = not options.revision
    if not wants_initial:
        return store.watch(kind.storage, namespace, options.revision or None), iter(())
    # Nothing is awaited between the two, so that they meet exactly.
    watch = store.watch(kind.storage, namespace)
    snapshot = store.list(kind.storage, namespace)
    records = select(kind, snapshot, snapshot.records, options)

    def initial() -> Iterator[bytes]:
        frames: list[bytes] = []
        size = 0
        for record in records:
            frames.append(presentation.added(snapshot, record))
            size += len(frames[-1])
            if len(frames) == _BATCH or size >= _BATCH_BYTES:
                yield b"".join(frames)
                frames, size = [], 0
        if frames:
            yield b"".join(frames)
        if options.send_initial_events and options.bookmarks:
            yield presentation.bookmark(snapshot.revision, initial_events_end=True)

    return watch, initial()


def _abort(http: web.Request) -> None:
    """Cuts off a client that does not keep up, whose handler may be waiting for it."""
    if http.transport is not None:
        http.transport.abort()


class _Stream:
    """Sends what a watch delivers."""

    def __init__(
        self,
        http: web.Request,
        response: web.StreamResponse,
        store: Store,
        watch: Watch,
        presentation: Presentation,
        options: ListOptions,
        matches: Matcher | None,
    ) -> None:
        self._http = http
        self._response = response
        self._store = store
        self._watch = watch
        self._presentation = presentation
        self._matches = matches
        loop = asyncio.get_running_loop()
        seconds = options.timeout_seconds
        self._end = loop.time() + (seconds if seconds is not None else _DEFAULT_TIMEOUT * random.uniform(1, 2))
        self._bookmarks = options.bookmarks
        self._bookmark_at = loop.time() + _BOOKMARK_INTERVAL

    async def run(self) -> None:
        """Until the timeout, or the end of the watch. Raises StatusError 410, ConnectionError."""
        loop = asyncio.get_running_loop()
        while (now := loop.time()) < self._end:
            if self._bookmarks and now >= self._bookmark_at and self._watch.empty:
                await self._response.write(self._presentation.bookmark(self._store.revision))
                self._bookmark_at = now + _BOOKMARK_INTERVAL
            try:
                async with asyncio.timeout_at(min(self._end, now + _LIVENESS_INTERVAL)):
                    event = await anext(self._watch, None)
            except TimeoutError:
                if self._http.transport is None or self._http.transport.is_closing():
                    return
                continue
            if event is None:
                return
            await self._send(event)
        if self._bookmarks and self._watch.empty:
            # Spares the client a relist when it comes back.
            await self._response.write(self._presentation.bookmark(self._store.revision))

    async def _send(self, first: Event) -> None:
        frames = []
        size = 0
        event: Event | None = first
        while event is not None:
            type_ = self._type(event)
            if type_ is not None:
                frames.append(self._presentation.event(event, type_))
                size += len(frames[-1])
            event = self._watch.take() if len(frames) < _BATCH and size < _BATCH_BYTES else None
        if frames:
            await self._response.write(b"".join(frames) if len(frames) > 1 else frames[0])

    def _type(self, event: Event) -> str | None:
        """What the change is to this watcher, whose selectors the object may have entered or left by it."""
        if self._matches is None:
            return event.type
        before = event.previous is not None and self._matches(event.previous, lambda: event.previous_obj or {})
        if event.type == DELETED:
            return DELETED if before else None
        after = self._matches(event.record, lambda: event.obj)
        if after:
            return MODIFIED if before else ADDED
        return DELETED if before else None

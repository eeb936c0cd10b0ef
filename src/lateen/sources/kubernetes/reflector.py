"""Keeps a sink equal to what an API server holds of one kind: list, then watch, whatever happens in between.

The protocol is the one of Kubernetes' API concepts: a paged list names a resource version, a watch goes on from
there, bookmarks move it along, 410 Gone says that the history is lost and the list must be taken again. A list is
always handed over whole (`Sink.synced`), so that what vanished unseen vanishes here too.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any

import msgspec

from lateen.api.objects import Key
from lateen.sources.backoff import Backoff, BackoffLimits
from lateen.sources.kubernetes.client import Answer, ApiError, Client, Event
from lateen.sources.kubernetes.discovery import Collection, Discovery
from lateen.sources.kubernetes.watched_kind import WatchedKind
from lateen.sources.source import Change, Sink

_log = logging.getLogger(__name__)

_REFUSED = (401, 403)
_PATIENCE = 5
"""Failures in a row after which a watch is given up for a new list: the server may no longer know our version."""
_LASTING_SECONDS = 5.0
"""A watch that held for so long was a success, however it ended."""


class Timing(msgspec.Struct, frozen=True):
    """How a reflector paces itself; times in seconds."""

    page: int = 500
    """Objects per request of a list."""
    retry: BackoffLimits = BackoffLimits()
    forbidden_retry: BackoffLimits = BackoffLimits(1.0, 60.0)
    """After 401 or 403: a server that has just started may not know its permissions yet, and others may be granted."""
    absent_poll: float = 2.0
    """How often to look for a kind that the server does not serve."""
    absent_grace: float = 30.0
    """How long a kind must be absent before its objects count as gone, where we may not read definitions."""


class Reflector:
    """One kind of one cluster."""

    def __init__(
        self,
        client: Client,
        discovery: Discovery,
        kind: WatchedKind,
        *,
        cluster: str = "",
        timing: Timing | None = None,
    ) -> None:
        self._client = client
        self._discovery = discovery
        self._kind = kind
        self._cluster = cluster
        self._timing = timing or Timing()
        self._absent_since: float | None = None

    async def run(self, sink: Sink) -> None:
        """Until cancelled. A failure of any sort is reported, and tried again later."""
        backoff, refusals = Backoff(self._timing.retry), Backoff(self._timing.forbidden_retry)
        while True:
            try:
                collection = await self._discovery.collection(self._kind)
                if collection is None:
                    await self._absent(sink)
                    backoff.reset()
                    continue
                self._absent_since = None
                version = await self._list(collection, sink)
                self._report(sink, "")
                refusals.reset()
                began = _now()
                await self._follow(collection, version, sink)
                if _now() - began > _LASTING_SECONDS:
                    backoff.reset()
                await asyncio.sleep(backoff.next())
            except ApiError as error:
                if error.status in _REFUSED:
                    self._report(sink, f"not permitted: {error}")
                    await sink.synced(self._kind.name, None)
                    await asyncio.sleep(refusals.next())
                else:
                    # 404: the kind went away between two requests, and discovery says what now.
                    self._report(sink, str(error))
                    await asyncio.sleep(max(backoff.next(), error.retry_after))
            except (OSError, ValueError) as error:
                self._report(sink, f"cannot reach the API server: {_words(error)}")
                await asyncio.sleep(backoff.next())
            except Exception as error:
                # Ours to mend, but no reason to stop reading this kind.
                _log.exception("reading %s failed", self._kind.name)
                self._report(sink, f"internal error: {error!r}")
                await asyncio.sleep(self._timing.retry.limit)

    def _report(self, sink: Sink, problem: str) -> None:
        sink.report(str(self._kind.name), problem)

    # --- a kind that is not there --------------------------------------------------------------------------------

    async def _absent(self, sink: Sink) -> None:
        """Waits a moment; what was held of the kind goes once it is certain that the kind is gone."""
        now = _now()
        self._absent_since = now if self._absent_since is None else self._absent_since
        defined = await self._discovery.is_defined(self._kind)
        if defined is None and now - self._absent_since < self._timing.absent_grace:
            # Nobody waits for it meanwhile.
            await sink.synced(self._kind.name, None)
        elif not defined:
            await sink.synced(self._kind.name, ())
            self._report(sink, "")
        await asyncio.sleep(self._timing.absent_poll * random.uniform(0.75, 1.25))

    # --- list ----------------------------------------------------------------------------------------------------

    async def _list(self, collection: Collection, sink: Sink) -> str:
        """Hands over all objects; returns the version to watch from."""
        try:
            return await self._list_pages(collection, sink, self._timing.page)
        except ApiError as error:
            if error.status != 410:
                raise
        # The list was too slow for its own continuation: in one piece it cannot be.
        return await self._list_pages(collection, sink, 0)

    async def _list_pages(self, collection: Collection, sink: Sink, page: int) -> str:
        keys: set[Key] = set()
        parameters = self._parameters()
        if page:
            parameters["limit"] = str(page)
        while True:
            body = await self._client.get(collection.path, parameters)
            metadata, items = body.get("metadata") or {}, body.get("items") or ()
            changes = self._changes(collection, (("ADDED", item) for item in items))
            keys.update(change.key for change in changes)
            await sink.apply(changes)
            if not metadata.get("continue"):
                await sink.synced(self._kind.name, keys)
                return str(metadata.get("resourceVersion") or "")
            parameters["continue"] = metadata["continue"]

    def _parameters(self) -> dict[str, str]:
        return {"fieldSelector": self._kind.field_selector} if self._kind.field_selector else {}

    def _changes(self, collection: Collection, found: Iterable[tuple[str, Any]]) -> list[Change]:
        changes = []
        for type_, item in found:
            metadata = item.get("metadata") if isinstance(item, dict) else None
            name = metadata.get("name") if isinstance(metadata, dict) else None
            if not isinstance(name, str) or not isinstance(metadata, dict):
                _log.warning("%s: the API server sent an object without a name", self._kind.name)
                continue
            # Items of lists do not say what they are.
            item.setdefault("apiVersion", collection.api_version)
            item.setdefault("kind", self._kind.name.kind)
            key = Key(str(metadata.get("namespace") or ""), name, self._cluster)
            changes.append(Change(self._kind.name, key, None if type_ == "DELETED" else item))
        return changes

    # --- watch ---------------------------------------------------------------------------------------------------

    async def _follow(self, collection: Collection, version: str, sink: Sink) -> None:
        """Applies what happens from a version on. Returns when the list has to be taken again."""
        backoff = Backoff(self._timing.retry)
        failures = 0
        while failures < _PATIENCE:
            began, delay, before = _now(), 0.0, version
            try:
                parameters = {**self._parameters(), "resourceVersion": version}
                async with aclosing(self._client.watch(collection.path, parameters)) as batches:
                    async for events in batches:
                        self._report(sink, "")
                        if not events:
                            continue
                        version = await self._apply(collection, events, version, sink)
                        if events[-1].type == "ERROR":
                            raise ApiError(_failure(events[-1]))
                        failures = 0
                        backoff.reset()
                if version != before:
                    continue
            except ApiError as error:
                if error.status == 410:
                    return
                if error.status in (*_REFUSED, 404):
                    raise
                failures += 1
                delay = error.retry_after
                self._report(sink, str(error))
            except OSError as error:
                failures += 1
                self._report(sink, f"cannot reach the API server: {_words(error)}")
            if _now() - began > _LASTING_SECONDS:
                failures = 0
                backoff.reset()
            await asyncio.sleep(max(delay, backoff.next()))

    async def _apply(self, collection: Collection, events: tuple[Event, ...], version: str, sink: Sink) -> str:
        """Applies what precedes an error; returns the version reached."""
        changes = self._changes(
            collection, ((type_, item) for type_, item in events if type_ in ("ADDED", "MODIFIED", "DELETED"))
        )
        if changes:
            await sink.apply(changes)
        for type_, item in reversed(events):
            if type_ != "ERROR" and (reached := (item.get("metadata") or {}).get("resourceVersion")):
                return str(reached)
        return version


def _failure(event: Event) -> Answer:
    """The Status that ends a watch."""
    code = event.object.get("code")
    return Answer(code if isinstance(code, int) else 500, event.object)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__

"""Writes the status of resources through the Kubernetes API: only what differs, gently, and one replica at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from lateen.api.kind import Kind
from lateen.api.kinds import MESH_KINDS
from lateen.api.kubernetes.requests import Answer, KubernetesApi
from lateen.api.objects import ObjectRef
from lateen.status.conditions import status_of
from lateen.status.findings import Report

_log = logging.getLogger(__name__)

_KINDS: Final[Mapping[str, Kind]] = {kind.kind: kind for kind in MESH_KINDS}
_MERGE_PATCH = "application/merge-patch+json"


class WriterPace(msgspec.Struct, frozen=True):
    """Times in seconds."""

    interval: float = 0.02
    """Between two writes."""
    retry: float = 5.0
    """After a failure that is likely to pass."""
    refused_retry: float = 300.0
    """After the API server forbade it."""


class StatusWriter:
    """Tell it of changes by `put`; `run` writes them, and begins with `all`. What is put while it does not run is
    dropped: whoever runs it next begins with everything."""

    def __init__(
        self,
        api: KubernetesApi,
        report: Callable[[ObjectRef], Report | None],
        all_: Callable[[], list[ObjectRef]],
        *,
        pace: WriterPace | None = None,
    ) -> None:
        self._api = api
        self._report = report
        self._all = all_
        self._pace = pace or WriterPace()
        self._queue: dict[ObjectRef, None] = {}
        self._running = False
        self._wake = asyncio.Event()
        self._versions: dict[str, str] = {}
        """The version of each kind that the server serves."""
        self._refused: dict[str, float] = {}
        """Kinds whose status we may not write, and until when not to try again."""
        self._problem = ""
        self.written = 0

    def put(self, ref: ObjectRef) -> None:
        """There is something new to say of a resource."""
        if self._running and ref.kind in _KINDS and not ref.key.cluster:
            self._queue[ref] = None
            self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        self._running = True
        try:
            for ref in self._all():
                self.put(ref)
            while True:
                while self._queue:
                    ref = next(iter(self._queue))
                    del self._queue[ref]
                    await self._write(ref)
                self._wake.clear()
                await self._wake.wait()
        finally:
            self._running = False
            self._queue.clear()

    async def _write(self, ref: ObjectRef) -> None:
        if self._refused.get(ref.kind, 0.0) > _now():
            return
        try:
            answer = await self._bring_up_to_date(ref)
        except (OSError, ValueError) as error:
            await self._fail(ref, str(error) or type(error).__name__, self._pace.retry)
            return
        if answer is None or answer.status == 404:
            # Nothing to write; or gone, or from a file: it is not there to have a status.
            return
        if answer.status == 200:
            self.written += 1
            self._problem = ""
            await asyncio.sleep(self._pace.interval)
        elif answer.status == 409:
            self._queue[ref] = None
            await asyncio.sleep(self._pace.interval)
        elif answer.status in (401, 403):
            if ref.kind not in self._refused:
                _log.warning("the status of %s objects cannot be written: %s", ref.kind, answer.message)
            self._refused[ref.kind] = _now() + self._pace.refused_retry
        elif answer.status == 429 or answer.status >= 500:
            await self._fail(ref, answer.message, max(self._pace.retry, answer.retry_after))
        else:
            _log.warning("the status of %s was not accepted: %s", ref, answer.message)

    async def _fail(self, ref: ObjectRef, problem: str, pause: float) -> None:
        if problem != self._problem:
            _log.warning("status cannot be written for now: %s", problem)
            self._problem = problem
        self._queue[ref] = None
        await asyncio.sleep(pause)

    async def _bring_up_to_date(self, ref: ObjectRef) -> Answer | None:
        """What the API server said to the write; None when there was none to make."""
        found = await self._get(ref)
        if found.status != 200:
            return found
        metadata = found.body.get("metadata") or {}
        before = found.body.get("status") or {}
        report = self._report(ref)
        if report is None or not isinstance(before, dict):
            return None
        status = status_of(report, before, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        if status == before:
            return None
        # With the version that the judgement is about: if it has changed meanwhile, that is a conflict.
        body = {"metadata": {"resourceVersion": metadata.get("resourceVersion")}, "status": status}
        path = _path(_KINDS[ref.kind], self._versions[ref.kind], ref)
        return await self._api.send("PATCH", f"{path}/status", body=body, content_type=_MERGE_PATCH)

    async def _get(self, ref: ObjectRef) -> Answer:
        kind = _KINDS[ref.kind]
        known = self._versions.get(ref.kind)
        versions = kind.versions if known is None else (known, *(v for v in kind.versions if v != known))
        for version in versions:
            answer = await self._api.send("GET", _path(kind, version, ref))
            if answer.status != 404:
                self._versions[ref.kind] = version
                return answer
        return answer


def _path(kind: Kind, version: str, ref: ObjectRef) -> str:
    namespace: Any = f"namespaces/{ref.key.namespace}/" if ref.key.namespace else ""
    return f"/apis/{kind.group}/{version}/{namespace}{kind.plural}/{ref.key.name}"


def _now() -> float:
    return asyncio.get_running_loop().time()

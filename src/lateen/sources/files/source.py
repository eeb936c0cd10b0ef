"""Files of manifests as a source: read at the start, and again a moment after they change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from lateen.api.objects import Key
from lateen.api.parse import LARGEST
from lateen.sources.files.completion import DEFAULT_NAMESPACE, complete
from lateen.sources.files.manifests import Manifest, ManifestError, Misfit, read_manifests
from lateen.sources.files.scan import Scan, Settled, Settling, scan
from lateen.sources.source import Change, KindName, Sink

_INTERVAL_SECONDS = 0.05
_BUSY_SHARE = 20
"""At most one part in so many of a core goes into looking, and half of one into reading what keeps changing."""
_MESH_GROUPS = ".istio.io"
_LARGEST_FILE = 256 * 1024 * 1024
"""Bytes."""


class Gathered(NamedTuple):
    """All that the files hold together."""

    objects: Mapping[tuple[KindName, Key], Mapping[str, Any]]
    origins: Mapping[tuple[KindName, Key], str]
    """`routes.yaml:12`; absent for what was completed."""
    problems: Mapping[str, str]
    """By file."""
    refused: Mapping[tuple[KindName, Key], str]
    """Objects that are not taken, and why."""


class FileSource:
    """`paths` are files and directories; `kinds` those to be told of (others serve completion, or nothing)."""

    def __init__(
        self,
        paths: Sequence[Path],
        kinds: Collection[KindName],
        *,
        namespace: str = DEFAULT_NAMESPACE,
        interval: float = _INTERVAL_SECONDS,
    ) -> None:
        self._paths = tuple(paths)
        self._kinds = frozenset(kinds)
        self._namespace = namespace
        self._interval = interval
        self._settling = Settling()
        self._contents: dict[Path, tuple[Manifest | Misfit, ...]] = {}
        """The last good content of every file."""
        self._broken: dict[Path, str] = {}
        self._unreadable: Mapping[Path, str] = {}
        self._is_whole = False
        """All that there is was read once. What was never seen is not empty: proxies would lose all that they have."""
        self._scanning = 0.0
        """Seconds that the last look at all files took, without reading any."""
        self._told = Gathered({}, {}, {}, {})

    @property
    def name(self) -> str:
        return "files"

    @property
    def kinds(self) -> Collection[KindName]:
        return self._kinds

    async def run(self, sink: Sink) -> None:
        began = True
        while True:
            start = time.monotonic()
            # Off the loop: a slow disk or a big file delays nobody else.
            gathered = await asyncio.to_thread(self._look, began)
            if gathered is not None:
                await self._tell(gathered, sink)
            if began and self._is_whole:
                await self._tell_synced(sink)
                began = False
            # Reading is for what has changed; one large file shall not keep the next change waiting for long.
            await asyncio.sleep(max(self._interval, self._scanning * _BUSY_SHARE, time.monotonic() - start))

    # --- looking -------------------------------------------------------------------------------------------------

    def _look(self, began: bool) -> Gathered | None:
        """What the files hold now; None when nothing has changed."""
        start = time.monotonic()
        found = scan(self._paths)
        self._scanning = time.monotonic() - start
        settled = self._settling.look(found)
        if not settled and not began and found.failures == self._unreadable:
            return None
        self._take(settled, found)
        self._is_whole = found.failures.keys().isdisjoint(self._paths) and all(
            path in self._contents or path in self._broken for path in found.files
        )
        return self._gather()

    def _take(self, settled: Settled, found: Scan) -> None:
        self._unreadable = found.failures
        for path in settled.gone:
            self._contents.pop(path, None)
            self._broken.pop(path, None)
        for path in settled.changed:
            try:
                self._contents[path] = tuple(_read(path))
                self._broken.pop(path, None)
            except ManifestError as error:
                self._broken[path] = str(error)
            except OSError as error:
                self._broken[path] = error.strerror or str(error)

    def _gather(self) -> Gathered:
        problems: dict[str, list[str]] = {}
        for path, problem in (*self._unreadable.items(), *self._broken.items()):
            problems.setdefault(str(path), []).append(problem)
        origins: dict[tuple[KindName, Key], str] = {}
        distinct: list[Mapping[str, Any]] = []
        refused: dict[tuple[KindName, Key], Manifest] = {}
        for path, entry in self._entries():
            if isinstance(entry, Misfit):
                problems.setdefault(str(path), []).append(f"line {entry.line}: {entry.message}")
                continue
            kind, key = _identity(entry.raw)
            # As completion will place it; what has no namespace at all is not in the way of anything.
            identity = kind, key if key.namespace else key._replace(namespace=self._namespace)
            if identity in origins:
                message = f"line {entry.line}: {kind.kind} {key} is also in {origins[identity]}, which counts"
                problems.setdefault(str(path), []).append(message)
                continue
            if kind.group.endswith(_MESH_GROUPS) and kind not in self._kinds:
                problems.setdefault(str(path), []).append(f"line {entry.line}: kind {kind} is not known, and ignored")
            origins[identity] = origins[kind, key] = f"{path}:{entry.line}"
            if entry.refused:
                problems.setdefault(str(path), []).append(f"line {entry.line}: {entry.refused}")
                refused[identity] = entry
            else:
                distinct.append(entry.raw)
        objects = {
            identity: raw
            for raw in complete(distinct, namespace=self._namespace)
            if (identity := _identity(raw))[0] in self._kinds
        }
        objects |= {identity: entry.raw for identity, entry in refused.items() if identity[0] in self._kinds}
        return Gathered(
            objects,
            origins,
            {part: "; ".join(several) for part, several in problems.items()},
            {identity: entry.refused for identity, entry in refused.items()},
        )

    def _entries(self) -> Iterator[tuple[Path, Manifest | Misfit]]:
        for path in sorted(self._contents):
            for entry in self._contents[path]:
                yield path, entry

    # --- telling -------------------------------------------------------------------------------------------------

    async def _tell(self, now: Gathered, sink: Sink) -> None:
        before = self._told
        changes = [Change(*identity, None) for identity in before.objects if identity not in now.objects]
        changes += [
            Change(*identity, raw, now.origins.get(identity, ""), now.refused.get(identity, ""))
            for identity, raw in now.objects.items()
            if before.objects.get(identity) != raw or before.refused.get(identity) != now.refused.get(identity)
        ]
        if changes:
            await sink.apply(changes)
        self._told = now
        for part in {**before.problems, **now.problems}:
            sink.report(part, now.problems.get(part, ""))

    async def _tell_synced(self, sink: Sink) -> None:
        for kind in sorted(self._kinds):
            await sink.synced(kind, {key for held, key in self._told.objects if held == kind})


def _read(path: Path) -> Iterator[Manifest | Misfit]:
    """What is in a file; of objects that are too large the head alone. Raises ManifestError and OSError."""
    size = path.stat().st_size
    if size > _LARGEST_FILE:
        raise ManifestError(1, f"the file has {size} bytes; at most {_LARGEST_FILE} are read")
    for entry in read_manifests(path.read_bytes()):
        if size > LARGEST and isinstance(entry, Manifest) and (length := len(msgspec.json.encode(entry.raw))) > LARGEST:
            yield Manifest(_head(entry.raw), entry.line, f"the object has {length} bytes; at most {LARGEST} are read")
        else:
            yield entry


def _head(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What says which object it is, and which version of it."""
    metadata = {name: value for name, value in raw["metadata"].items() if name in ("name", "namespace", "generation")}
    return {"apiVersion": raw["apiVersion"], "kind": raw["kind"], "metadata": metadata}


def _identity(raw: Mapping[str, Any]) -> tuple[KindName, Key]:
    group = raw["apiVersion"].rpartition("/")[0]
    metadata = raw["metadata"]
    return KindName(group, raw["kind"]), Key(metadata.get("namespace") or "", metadata["name"])

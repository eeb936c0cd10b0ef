"""Writes what sources tell into the engine: parsed, in transactions, and never worse than the last good value."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from lateen.api.kind import Kind
from lateen.api.objects import Key, ObjectRef
from lateen.api.schema.fault import Fault
from lateen.engine import Engine, Table
from lateen.model.inputs import REJECTED, REJECTED_GENERATIONS, WARNINGS
from lateen.model.tables import TABLES
from lateen.sources.mesh_settings import MeshSettings
from lateen.sources.outcome import GONE, Outcome, outcome_of
from lateen.sources.source import Change, KindName, Sink, Source

_log = logging.getLogger(__name__)

_BREATH = 100
"""Objects that are parsed before others get their turn on the loop."""

STORED: Final[Mapping[KindName, Kind]] = {KindName(kind.group, kind.kind): kind for kind in TABLES}
"""The kinds that the store takes."""

_Identity = tuple[KindName, Key]
_ABSENT: Final = object()


class _Held(msgspec.Struct):
    """What one source has."""

    source: Source
    rank: int
    """Of several sources with the same object, the one that was added first counts."""
    waiting: set[KindName]
    """Kinds of which the source has not told everything yet."""
    keys: dict[KindName, set[Key]]
    shadowed: dict[_Identity, Outcome]
    """Objects that a source before this one has too."""
    problems: dict[str, str]


class _Writes:
    """Writes on their way into a transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pending: dict[Table[Any, Any], dict[Any, Any]] = {}

    def set(self, table: Table[Any, Any], key: Any, value: Any) -> None:
        """`value` may be `_ABSENT`."""
        pending = self._pending.get(table)
        if pending is None:
            pending = self._pending[table] = {}
        pending[key] = value

    def get(self, table: Table[Any, Any], key: Any) -> Any:
        """`_ABSENT` when there is none."""
        found = self._pending[table].get(key, self) if table in self._pending else self
        return self._engine.data(table).values.get(key, _ABSENT) if found is self else found

    def concern(self, table: Table[Any, Any]) -> bool:
        """Whether there is anything in a table, or about to be."""
        return table in self._pending or bool(self._engine.data(table).values)

    def commit(self, cells: Iterable[tuple[Any, Any]]) -> bool:
        """One revision, unless nothing changes."""
        before = self._engine.revision
        with self._engine.change() as tx:
            for table, pending in self._pending.items():
                for key, value in pending.items():
                    if value is _ABSENT:
                        tx.delete(table, key)
                    else:
                        tx.set(table, key, value)
            for cell, value in cells:
                tx.put(cell, value)
        return self._engine.revision != before


class Store:
    """`committed` is called after every transaction. `namespace` is the control plane's own, `revision` its name."""

    def __init__(
        self,
        engine: Engine,
        *,
        committed: Callable[[], None] = lambda: None,
        namespace: str = "istio-system",
        revision: str = "default",
    ) -> None:
        self._engine = engine
        self._committed = committed
        self._revision = revision or "default"
        self._settings = MeshSettings(namespace, self._revision)
        self._held: list[_Held] = []
        self._synced = asyncio.Event()
        self._origins: dict[ObjectRef, str] = {}
        # MeshConfig's defaults, before any source has a say.
        _Writes(engine).commit(self._settings.changes())

    def sink(self, source: Source) -> Sink:
        """Adds a source. Of sources that hold the same object the one added first is believed."""
        held = _Held(source, len(self._held), set(source.kinds) & STORED.keys(), {}, {}, {})
        self._held.append(held)
        self._look_whether_synced()
        return _SourceSink(self, held)

    # --- what there is to know about the sources -----------------------------------------------------------------

    @property
    def waiting(self) -> tuple[str, ...]:
        """`SOURCE: KIND` of what has not been told completely yet; empty when the store is ready to be used."""
        return tuple(f"{held.source.name}: {kind}" for held in self._held for kind in sorted(held.waiting))

    async def synced(self) -> None:
        """Waits until every source has told everything once."""
        await self._synced.wait()

    @property
    def problems(self) -> Mapping[str, Mapping[str, str]]:
        """What is wrong with sources now: by source, by part of it."""
        return {held.source.name: dict(sorted(held.problems.items())) for held in self._held if held.problems}

    def origin(self, ref: ObjectRef) -> str:
        """Where a person finds an object that has faults (`routes.yaml:12`); empty when its key says it all."""
        return self._origins.get(ref, "")

    # --- taking --------------------------------------------------------------------------------------------------

    async def apply(self, held: _Held, changes: Sequence[Change]) -> None:
        judged: list[tuple[Change, Outcome]] = []
        for count, change in enumerate(changes, 1):
            if (kind := STORED.get(change.kind)) is not None:
                judged.append((change, outcome_of(kind, change, self._revision)))
            if count % _BREATH == 0:
                await asyncio.sleep(0)
        writes = _Writes(self._engine)
        for change, outcome in judged:
            keys = held.keys.get(change.kind)
            if keys is None:
                keys = held.keys[change.kind] = set()
            if change.raw is None:
                keys.discard(change.key)
                self._remove(held, (change.kind, change.key), writes)
            else:
                keys.add(change.key)
                self._take(held, (change.kind, change.key), outcome, change.origin, writes)
        self._commit(writes)

    async def complete(self, held: _Held, kind: KindName, keys: Collection[Key] | None) -> None:
        if kind not in STORED:
            return
        if keys is not None:
            writes = _Writes(self._engine)
            known = held.keys.setdefault(kind, set())
            for key in sorted(known.difference(keys)):
                known.discard(key)
                self._remove(held, (kind, key), writes)
            self._commit(writes)
        if kind in held.waiting:
            held.waiting.discard(kind)
            self._look_whether_synced()

    def report(self, held: _Held, part: str, problem: str) -> None:
        if held.problems.get(part, "") == problem:
            return
        if problem:
            held.problems[part] = problem
            _log.warning("%s: %s: %s", held.source.name, part, problem)
        else:
            del held.problems[part]
            _log.info("%s: %s: all is well again", held.source.name, part)

    def _look_whether_synced(self) -> None:
        if any(held.waiting for held in self._held):
            self._synced.clear()
        else:
            self._synced.set()

    # --- several sources with the same object --------------------------------------------------------------------

    def _take(self, held: _Held, identity: _Identity, outcome: Outcome, origin: str, writes: _Writes) -> None:
        for other in self._held:
            if other is held or identity[1] not in other.keys.get(identity[0], ()):
                continue
            if other.rank < held.rank:
                if identity not in held.shadowed:
                    self.report(held, _part(identity), f"also in {other.source.name}, which counts")
                held.shadowed[identity] = outcome
                return
            if identity not in other.shadowed:
                other.shadowed[identity] = self._outcome_held(identity, writes)
                self.report(other, _part(identity), f"also in {held.source.name}, which counts")
        self._write(identity, outcome, origin, writes)

    def _remove(self, held: _Held, identity: _Identity, writes: _Writes) -> None:
        if held.shadowed.pop(identity, None) is not None:
            self.report(held, _part(identity), "")
            return
        for other in self._held:
            if (outcome := other.shadowed.pop(identity, None)) is not None:
                self.report(other, _part(identity), "")
                # What this one held is no last good value of the other's.
                self._write(identity, GONE, "", writes)
                self._write(identity, outcome, "", writes)
                return
        self._write(identity, GONE, "", writes)

    def _outcome_held(self, identity: _Identity, writes: _Writes) -> Outcome:
        table, ref = TABLES[STORED[identity[0]]], ObjectRef(identity[0].kind, identity[1])
        value = writes.get(table, identity[1])
        rejected, warnings = writes.get(REJECTED, ref), writes.get(WARNINGS, ref)
        generation = writes.get(REJECTED_GENERATIONS, ref)
        return Outcome(
            None if value is _ABSENT else value,
            () if rejected is _ABSENT else rejected,
            () if warnings is _ABSENT else warnings,
            0 if generation is _ABSENT else generation,
        )

    # --- writing -------------------------------------------------------------------------------------------------

    def _write(self, identity: _Identity, outcome: Outcome, origin: str, writes: _Writes) -> None:
        kind, key = identity
        if kind == _CONFIG_MAP and self._settings.concern(key):
            outcome = self._settings.take(key, outcome)
        table = TABLES[STORED[kind]]
        if outcome.value is not None:
            writes.set(table, key, outcome.value)
        elif not outcome.rejected:
            writes.set(table, key, _ABSENT)
        told = outcome.rejected or outcome.warnings
        if told or self._origins or writes.concern(REJECTED) or writes.concern(WARNINGS):
            self._write_faults(ObjectRef(kind.kind, key), outcome, origin, writes)

    def _write_faults(self, ref: ObjectRef, outcome: Outcome, origin: str, writes: _Writes) -> None:
        if outcome.rejected and writes.get(REJECTED, ref) != outcome.rejected:
            _log.warning("rejected %s%s: %s", ref, f" ({origin})" if origin else "", _words(outcome.rejected))
        if outcome.warnings and writes.get(WARNINGS, ref) != outcome.warnings:
            _log.info("%s%s: %s", ref, f" ({origin})" if origin else "", _words(outcome.warnings))
        writes.set(REJECTED, ref, outcome.rejected or _ABSENT)
        writes.set(REJECTED_GENERATIONS, ref, outcome.generation if outcome.rejected else _ABSENT)
        # A rejected version says nothing about the one that is in force.
        if outcome.value is not None or not outcome.rejected:
            writes.set(WARNINGS, ref, outcome.warnings or _ABSENT)
        if outcome.value is None and not outcome.rejected:
            self._origins.pop(ref, None)
        elif origin and (outcome.rejected or outcome.warnings):
            self._origins[ref] = origin

    def _commit(self, writes: _Writes) -> None:
        if writes.commit(self._settings.changes()):
            self._committed()


class _SourceSink:
    """The store, as one source sees it."""

    def __init__(self, store: Store, held: _Held) -> None:
        self._store = store
        self._held = held

    async def apply(self, changes: Sequence[Change]) -> None:
        await self._store.apply(self._held, changes)

    async def synced(self, kind: KindName, keys: Collection[Key] | None) -> None:
        await self._store.complete(self._held, kind, keys)

    def report(self, part: str, problem: str) -> None:
        self._store.report(self._held, part, problem)


_CONFIG_MAP: Final = KindName("", "ConfigMap")


def _part(identity: _Identity) -> str:
    return f"{identity[0].kind} {identity[1]}"


def _words(faults: tuple[Fault, ...]) -> str:
    shown = [f"{fault.path}: {fault.message}" if fault.path else fault.message for fault in faults[:3]]
    more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
    return "; ".join(shown) + more

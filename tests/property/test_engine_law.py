"""The law of the engine: whatever the sequence of changes, incremental results equal results from scratch."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lateen.engine import CycleError, Engine, Observation, QueryError, Reader, Table, Transaction, query

Value = tuple[str, int, tuple[str, ...]]
"""(bucket, number, names of others it refers to): references make dependencies that come, go and close cycles."""

THINGS: Table[str, Value] = Table("things", indexes={"bucket": lambda v: (v[0],), "refers": lambda v: v[2]})

NAMES = st.sampled_from("abcdef")
VALUES = st.tuples(st.sampled_from("xy"), st.integers(0, 3), st.lists(NAMES, max_size=2, unique=True).map(tuple))
WRITES = st.dictionaries(NAMES, st.none() | VALUES, max_size=4)


@query
def number(db: Reader, name: str) -> int:
    value = THINGS.get(db, name)
    if value is None:
        raise QueryError("absent", name)
    if value[1] == 3:
        raise ValueError(f"{name} is three")
    return value[1]


@query
def total(db: Reader, name: str) -> int:
    """Follows references as far as they go; parity of the number decides whether they are followed at all."""
    value = THINGS.get(db, name)
    if value is None:
        return -1
    mine = number(db, name)
    return mine + sum((via if other < name else total)(db, other) for other in value[2]) if mine % 2 == 0 else mine


@query
def via(db: Reader, name: str) -> int:
    """Reads no input itself: in a cycle it hangs on the others alone."""
    return total(db, name)


@query
def parity(db: Reader, name: str) -> int:
    return total(db, name) % 2


@query
def bucket_parities(db: Reader, bucket: str) -> tuple[tuple[str, int], ...]:
    return tuple((name, parity(db, name)) for name in THINGS.where(db, "bucket", bucket))


@query
def safe(db: Reader, bucket: str) -> object:
    """Falls back on any error but a cycle (which of several cycles is met first depends on where one starts)."""
    try:
        return bucket_parities(db, bucket)
    except CycleError:
        raise
    except QueryError as error:
        return type(error).__name__


@query
def everything(db: Reader) -> tuple[object, ...]:
    found: list[object] = []
    for name in THINGS.keys(db):
        try:
            found.append(number(db, name))
        except QueryError:
            found.append(name)
    return (*found, len(THINGS.where(db, "refers", "a")))


CALLS: list[tuple[Any, tuple[Any, ...]]] = [
    *((q, (n,)) for q in (number, total, via, parity) for n in "abcdef"),
    *((q, (b,)) for q in (bucket_parities, safe) for b in "xy"),
    (everything, ()),
]


def apply(tx: Transaction, writes: dict[str, Value | None]) -> None:
    for name, value in writes.items():
        if value is None:
            tx.delete(THINGS, name)
        else:
            tx.set(THINGS, name, value)


def outcome(get: Any, q: Any, args: tuple[Any, ...]) -> object:
    try:
        return get(q, *args)
    except CycleError:
        return CycleError
    except QueryError as error:
        return (type(error), error.args)


def fresh(state: dict[str, Value]) -> Engine:
    engine = Engine()
    with engine.change() as tx:
        apply(tx, dict(state))
    return engine


def follow(state: dict[str, Value], writes: dict[str, Value | None]) -> dict[str, Value]:
    return {k: v for k, v in {**state, **writes}.items() if v is not None}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(WRITES, st.lists(st.sampled_from(range(len(CALLS))), max_size=4)), max_size=8),
    st.sampled_from([0, 2, 1000]),
)
def test_incremental_results_equal_results_from_scratch(
    steps: list[tuple[dict[str, Value | None], list[int]]], keep: int
) -> None:
    engine = Engine(keep=keep)
    state: dict[str, Value] = {}
    observed: dict[int, Observation[Any]] = {}
    for writes, toggled in steps:
        with engine.change() as tx:
            apply(tx, writes)
        state = follow(state, writes)
        for call in toggled:
            if call in observed:
                observed.pop(call).close()
            else:
                q, args = CALLS[call]
                observed[call] = engine.observe(q, *args)
        scratch = fresh(state)
        for call, observation in observed.items():
            q, args = CALLS[call]
            assert outcome(lambda *_, o=observation: o.get(), q, args) == outcome(scratch.get, q, args)
        for q, args in CALLS[:: len(steps)]:
            assert outcome(engine.get, q, args) == outcome(scratch.get, q, args)
    for observation in observed.values():
        observation.close()
    if keep == 0:
        assert engine.statistics().nodes == 0
        assert engine.statistics().sources == 0


@settings(max_examples=200, deadline=None)
@given(WRITES, WRITES, st.lists(WRITES, max_size=3), st.booleans())
def test_an_overlay_is_its_revision_with_its_change_whatever_happens_to_the_engine(
    base: dict[str, Value | None], change: dict[str, Value | None], later: list[dict[str, Value | None]], warm: bool
) -> None:
    state = follow({}, base)
    engine = fresh(state)
    if warm:
        for q, args in CALLS:
            outcome(engine.get, q, args)
    overlay = engine.overlay(lambda tx: apply(tx, change))
    expected = fresh(follow(state, change))
    for position in range(len(later) + 1):
        for q, args in CALLS[position % 3 :: 3]:
            assert outcome(overlay.get, q, args) == outcome(expected.get, q, args)
        if position < len(later):
            with engine.change() as tx:
                apply(tx, later[position])
            state = follow(state, later[position])
    scratch = fresh(state)
    for q, args in CALLS:
        assert outcome(engine.get, q, args) == outcome(scratch.get, q, args)


@pytest.mark.parametrize("size", [10, 1000])
def test_a_change_costs_what_it_affects_not_what_there_is(size: int) -> None:
    engine = Engine()
    with engine.change() as tx:
        for position in range(size):
            tx.set(THINGS, f"n{position}", ("x", 2, ()))
    observations = [engine.observe(parity, f"n{position}") for position in range(size)]
    before = engine.statistics()
    with engine.change() as tx:
        tx.set(THINGS, "n5", ("x", 0, ()))
    stale = engine.take_stale()
    for node in stale:
        engine.refresh(node)
    after = engine.statistics()
    # number, total and parity of n5 are marked and run (total finds number already done: one hit), parity gives the
    # same; all others are not even looked at.
    assert after.marked - before.marked == 3
    assert after.total.computed - before.total.computed == 3
    assert after.total.hits - before.total.hits == 1
    assert observations[5].changed_at == 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(WRITES, st.sampled_from((0, 1)), st.sampled_from(range(len(CALLS))), st.booleans()), max_size=12)
)
def test_every_observer_learns_of_each_result_that_differs_whatever_others_take(
    steps: list[tuple[dict[str, Value | None], int, int, bool]],
) -> None:
    """Two observers hold copies of what they observe, corrected by nothing but their own lists of stale results."""
    engine = Engine(keep=0)
    observers = (engine.observer(), engine.observer())
    observed: tuple[dict[int, Observation[Any]], ...] = ({}, {})
    copies: tuple[dict[int, object], ...] = ({}, {})
    for writes, which, call, take in steps:
        with engine.change() as tx:
            apply(tx, writes)
        q, args = CALLS[call]
        if call in observed[which]:
            observed[which].pop(call).close()
            del copies[which][call]
        else:
            observed[which][call] = observers[which].observe(q, *args)
            copies[which][call] = outcome(lambda *_, o=observed[which][call]: o.get(), q, args)
        if not take:
            continue
        stale = observers[which].take_stale()
        assert not observers[which].has_stale
        assert {id(node) for node in stale} <= {id(o.node) for o in observed[which].values()}
        for number, observation in observed[which].items():
            if observation.node in stale:
                copies[which][number] = outcome(lambda *_, o=observation: o.get(), *CALLS[number])
        for number, copy in copies[which].items():
            assert copy == outcome(engine.get, *CALLS[number])
    for held in observed:
        for observation in held.values():
            observation.close()
    assert engine.statistics().nodes == 0

"""The engine: what a change costs, at sizes of the graph that it does not affect."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence

from benchmarks.result import Result, against
from lateen.engine import Engine, Observation, Reader, Table, query
from lateen.istiod.garbage import THRESHOLDS

RESULTS = 20_000
DEMANDS = 100_000

THINGS: Table[str, int] = Table("things", indexes={"tens": lambda v: (v % 10,)})


@query
def doubled(db: Reader, name: str) -> int:
    return 2 * (THINGS.get(db, name) or 0)


@query
def summed(db: Reader, name: str) -> int:
    return doubled(db, name) + 1


def _engine(size: int) -> tuple[Engine, list[Observation[int]]]:
    engine = Engine()
    with engine.change() as tx:
        for number in range(size):
            tx.set(THINGS, f"n{number:06}", number)
    return engine, [engine.observe(summed, f"n{number:06}") for number in range(size)]


def _changes(engine: Engine, count: int) -> list[float]:
    samples = []
    for number in range(count):
        started = time.perf_counter()
        with engine.change() as tx:
            tx.set(THINGS, "n000005", 1000 + number)
        for node in engine.take_stale():
            engine.refresh(node)
        samples.append(time.perf_counter() - started)
    return samples


@query
def demanded(db: Reader, attempt: int) -> float:
    """Seconds that it takes to demand a result that is there."""
    started = time.process_time()
    for _ in range(DEMANDS):
        summed(db, "n000005")
    return (time.process_time() - started) / DEMANDS


def _step_costs() -> Sequence[Result]:
    writes, results, demands, floors = [], [], [], []
    for _ in range(5):
        started = time.process_time()
        engine = Engine()
        with engine.change() as tx:
            for number in range(RESULTS):
                tx.set(THINGS, f"n{number:06}", number)
        written = time.process_time()
        observations = [engine.observe(summed, f"n{number:06}") for number in range(RESULTS)]
        computed = time.process_time()
        plain = {(f"n{number:06}",): (number,) for number in range(RESULTS)}
        floors.append((time.process_time() - computed) / len(plain))
        writes.append((written - started) / RESULTS)
        results.append((computed - written) / (2 * len(observations)))
        demands.append(engine.get(demanded, 0))
    return [
        against("a value written, with one index", writes, "entry of a dictionary", floors),
        against("a result computed", results, "the same", floors),
        against("a result that is there, demanded", demands, "the same", floors),
    ]


def measure() -> Sequence[Result]:
    """One input of a two-step computation changes and the result is brought up to date; the floor is the same change
    in a graph of 100 such computations. Then single steps of 20,000 such computations, in CPU time, against making a
    dictionary of as many tuples."""
    gc.set_threshold(*THRESHOLDS)
    small, kept = _engine(100)
    floor = _changes(small, 2000)
    results = []
    for size in (2_000, 50_000):
        engine, observations = _engine(size)
        results.append(against(f"change of 1 input of {size:,}", _changes(engine, 2000), "100 inputs", floor))
        del observations
    del kept
    return [*results, *_step_costs()]

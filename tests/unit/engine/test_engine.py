"""The engine's rules one at a time; `tests/property/test_engine_law.py` has the law."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from lateen.engine import Cell, CycleError, Engine, EngineMisuse, QueryError, QueryFailed, Reader, Table, query


class Pod(NamedTuple):
    app: str
    ip: str


PODS: Table[str, Pod] = Table("pods", indexes={"app": lambda pod: (pod.app,)})
SUFFIX = Cell("suffix", "")


@query
def ip_of(db: Reader, name: str) -> str:
    pod = PODS.get(db, name)
    if pod is None:
        raise QueryError("no pod", name)
    return pod.ip


@query
def ips(db: Reader, app: str) -> tuple[str, ...]:
    return tuple(ip_of(db, name) for name in PODS.where(db, "app", app))


@query
def count(db: Reader, app: str) -> int:
    return len(ips(db, app))


@query
def report(db: Reader, app: str) -> str:
    return f"{app}: {count(db, app)}{SUFFIX.get(db)}"


@query
def names(db: Reader) -> tuple[str, ...]:
    return PODS.keys(db)


@query
def ip_or_none(db: Reader, name: str) -> str:
    try:
        return ip_of(db, name)
    except QueryError:
        return "none"


@query
def broken(db: Reader, name: str) -> int:
    return int(ip_of(db, name))


@query
def left(db: Reader, name: str) -> str:
    return right(db, name) if PODS.get(db, "loop") else "left " + ip_or_none(db, name)


@query
def right(db: Reader, name: str) -> str:
    return "right " + left(db, name)


def engine_with(*pods: tuple[str, str, str], keep: int = 1024) -> Engine:
    engine = Engine(keep=keep)
    with engine.change() as tx:
        for name, app, ip in pods:
            tx.set(PODS, name, Pod(app, ip))
    return engine


def computed(engine: Engine) -> int:
    return engine.statistics().total.computed


def test_a_second_demand_is_a_hit() -> None:
    engine = engine_with(("a", "web", "1"))
    assert engine.get(ips, "web") == ("1",)
    before = computed(engine)
    assert engine.get(ips, "web") == ("1",)
    assert computed(engine) == before
    assert engine.statistics().queries["test_engine.ips"].hits == 1


def test_a_change_recomputes_what_read_it_and_cuts_off_where_results_agree() -> None:
    engine = engine_with(("a", "web", "1"), ("b", "web", "2"), ("c", "db", "3"))
    observations = [engine.observe(report, app) for app in ("web", "db")]
    before = computed(engine)
    with engine.change() as tx:
        tx.set(PODS, "a", Pod("web", "9"))
    assert [node.args for node in engine.take_stale()] == [("web",)]
    assert [o.get() for o in observations] == ["web: 2", "db: 1"]
    # ip_of(a), ips(web) and count(web) ran; count gave the same, so report(web) was not run.
    assert computed(engine) - before == 3
    assert observations[0].changed_at == 1


def test_values_are_not_membership() -> None:
    engine = engine_with(("a", "web", "1"))
    names_seen = engine.observe(names)
    with engine.change() as tx:
        tx.set(PODS, "a", Pod("web", "2"))
    assert engine.take_stale() == []
    with engine.change() as tx:
        tx.set(PODS, "b", Pod("db", "2"))
    assert len(engine.take_stale()) == 1
    assert names_seen.get() == ("a", "b")


def test_an_absent_key_is_a_dependency() -> None:
    engine = engine_with()
    seen = engine.observe(ip_or_none, "a")
    assert seen.get() == "none"
    with engine.change() as tx:
        tx.set(PODS, "b", Pod("web", "1"))
    assert engine.take_stale() == []
    with engine.change() as tx:
        tx.set(PODS, "a", Pod("web", "1"))
    assert seen.get() == "1"


def test_writing_the_same_value_changes_nothing() -> None:
    engine = engine_with(("a", "web", "1"))
    engine.observe(ips, "web")
    revision = engine.revision
    with engine.change() as tx:
        tx.set(PODS, "a", Pod("web", "1"))
        tx.delete(PODS, "b")
    assert engine.take_stale() == []
    assert engine.revision == revision


def test_errors_are_values_and_located_faults_are_contained() -> None:
    engine = engine_with(("a", "web", "x"))
    with pytest.raises(QueryError, match="no pod"):
        engine.get(ip_of, "b")
    before = computed(engine)
    with pytest.raises(QueryError, match="no pod"):
        engine.get(ip_of, "b")
    assert computed(engine) == before
    with pytest.raises(QueryFailed, match=r"broken\('a'\) failed: ValueError: invalid literal"):
        engine.get(broken, "a")
    with engine.change() as tx:
        tx.set(PODS, "a", Pod("web", "7"))
    assert engine.get(broken, "a") == 7


def test_an_equal_error_cuts_off() -> None:
    engine = engine_with(("a", "web", "x"))
    seen = engine.observe(ip_or_none, "b")
    with engine.change() as tx:
        tx.set(PODS, "b", Pod("web", "1"))
    with engine.change() as tx:
        tx.delete(PODS, "b")
    assert seen.get() == "none"
    assert seen.changed_at == 1


def test_cycles_are_errors_of_all_members_and_heal() -> None:
    engine = engine_with(("a", "web", "1"), ("loop", "x", "1"))
    for entry in (left, right):
        with pytest.raises(CycleError, match=r"cyclic: .*left.*right"):
            engine.get(entry, "a")
    with engine.change() as tx:
        tx.delete(PODS, "loop")
    assert engine.get(right, "a") == "right left 1"
    with engine.change() as tx:
        tx.set(PODS, "loop", Pod("x", "1"))
    with pytest.raises(CycleError):
        engine.get(left, "a")


def test_members_of_a_cycle_are_dropped_when_nobody_wants_them() -> None:
    engine = engine_with(("loop", "x", "1"))
    seen = engine.observe(left, "a")
    assert isinstance(seen.error, CycleError)
    seen.close()
    assert engine.statistics().nodes == 0


def test_a_change_that_raises_changes_nothing() -> None:
    engine = engine_with(("a", "web", "1"))

    def change() -> None:
        with engine.change() as tx:
            tx.delete(PODS, "a")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        change()
    assert engine.get(ip_of, "a") == "1"
    assert engine.revision == 1


def test_misuse_is_refused() -> None:
    engine = engine_with(("a", "web", "1"))
    kept: list[Reader] = []

    @query
    def leaks(db: Reader) -> int:
        kept.append(db)
        return 1

    @query
    def writes(db: Reader) -> int:
        with engine.change():
            return 1

    @query
    def goes_around(db: Reader) -> str:
        return engine.get(ip_of, "a")

    engine.get(leaks)
    with pytest.raises(EngineMisuse, match="after its query had returned"):
        ip_of(kept[0], "a")
    with pytest.raises(EngineMisuse, match="queries are pure"):
        engine.get(writes)
    with pytest.raises(EngineMisuse, match="reads through its reader"):
        engine.get(goes_around)
    with engine.change() as tx, pytest.raises(EngineMisuse, match="inside a change"):
        engine.get(ip_of, "a")
    with pytest.raises(EngineMisuse, match="has ended"):
        tx.set(PODS, "b", Pod("x", "1"))
    with engine.change(), pytest.raises(EngineMisuse, match="nested"), engine.change():
        pass
    with pytest.raises(KeyError, match="no index 'zone'"):
        PODS.where(Reader(engine), "zone", "a")
    with pytest.raises(TypeError, match="positional"):
        engine.get(ip_of, name="a")


def test_what_nobody_demands_any_more_is_dropped() -> None:
    engine = engine_with(("a", "web", "1"), ("b", "db", "2"))
    observations = [engine.observe(report, "web"), engine.observe(report, "web"), engine.observe(report, "db")]
    full = engine.statistics()
    observations[0].close()
    observations[0].close()
    assert engine.statistics().nodes == full.nodes
    observations[1].close()
    half = engine.statistics()
    assert half.nodes == full.nodes / 2
    observations[2].close()
    left_over = engine.statistics()
    assert (left_over.nodes, left_over.sources) == (0, 0)
    assert left_over.dropped == full.nodes


def test_unobserved_results_are_bounded() -> None:
    engine = engine_with(keep=10)
    for number in range(100):
        engine.get(ip_or_none, str(number))
    # Each result holds the one it read.
    assert engine.statistics().nodes == 20


def test_explain_names_the_inputs_and_the_newest() -> None:
    engine = engine_with(("a", "web", "1"), ("b", "web", "2"), ("c", "db", "3"))
    seen = engine.observe(ips, "web")
    with engine.change() as tx:
        tx.set(PODS, "b", Pod("web", "5"))
    assert seen.get() == ("1", "5")
    found = engine.explain(ips, "web")
    assert sorted(map(repr, (read for read, _ in found.inputs))) == ["pods['a']", "pods['b']", "pods[app='web']"]
    assert [repr(read) for read in found.newest()] == ["pods['b']"]
    assert found.through == ("test_engine.ip_of('a')", "test_engine.ip_of('b')")


def test_an_overlay_shares_what_its_change_does_not_reach() -> None:
    engine = engine_with(("a", "web", "1"), ("b", "db", "2"))
    web, db = engine.observe(report, "web"), engine.observe(report, "db")
    overlay = engine.overlay(lambda tx: tx.set(PODS, "c", Pod("web", "3")))
    assert overlay.get(report, "web") == "web: 2"
    assert overlay.differs(web.node)
    assert not overlay.differs(db.node)
    # ips, ip_of(c), count, report of web; nothing of db.
    assert overlay.computed == 4
    assert engine.get(report, "web") == "web: 1"


def test_an_overlay_asks_once_in_which_buckets_its_writes_are() -> None:
    asked: list[str] = []

    def words(value: str) -> tuple[str, ...]:
        asked.append(value)
        return tuple(value.split())

    texts: Table[str, str] = Table("texts", indexes={"words": words})

    @query
    def readers(db: Reader, count: int) -> int:
        return sum(len(texts.where(db, "words", f"w{number}")) for number in range(count))

    overlay = Engine().overlay(lambda tx: tx.set(texts, "a", " ".join(f"w{number}" for number in range(500))))
    assert overlay.get(readers, 500) == 500
    # A thing in many buckets (a VirtualService with thousands of hosts) would else cost the square of them.
    assert len(asked) <= 2


def test_an_overlay_cuts_off_where_results_agree() -> None:
    engine = engine_with(("a", "web", "1"))
    web = engine.observe(report, "web")
    overlay = engine.overlay(lambda tx: tx.set(PODS, "a", Pod("web", "8")))
    assert not overlay.differs(web.node)
    assert overlay.computed == 3


def test_an_overlay_keeps_a_result_that_was_equal_when_the_engine_moves_on() -> None:
    engine = engine_with(("a", "web", "10.0.0.1"))
    assert engine.get(count, "web") == 1
    # Reached by the overlay's write, and found to be the same here.
    overlay = engine.overlay(lambda tx: tx.set(PODS, "a", Pod("web", "10.0.0.9")))
    assert overlay.get(count, "web") == 1
    with engine.change() as tx:
        tx.delete(PODS, "a")
    assert engine.get(count, "web") == 0
    assert overlay.get(count, "web") == 1
    assert overlay.get(ips, "web") == ("10.0.0.9",)


def test_a_snapshot_stays_at_its_revision() -> None:
    engine = engine_with(("a", "web", "1"))
    engine.observe(report, "web")
    snapshot = engine.overlay()
    with engine.change() as tx:
        tx.set(PODS, "b", Pod("web", "2"))
        tx.put(SUFFIX, "!")
    assert engine.get(report, "web") == "web: 2!"
    assert snapshot.get(report, "web") == "web: 1"
    with engine.change() as tx:
        tx.delete(PODS, "a")
    assert snapshot.get(ips, "web") == ("1",)
    assert engine.get(ips, "web") == ("2",)


def test_an_interrupted_query_is_not_remembered() -> None:
    engine = engine_with(("a", "web", "1"))
    interrupt = [True]

    @query
    def interrupted(db: Reader) -> str:
        if interrupt.pop():
            raise KeyboardInterrupt
        return ip_of(db, "a")

    interrupt.append(True)
    with pytest.raises(KeyboardInterrupt):
        engine.get(interrupted)
    interrupt[:] = [False]
    assert engine.get(interrupted) == "1"

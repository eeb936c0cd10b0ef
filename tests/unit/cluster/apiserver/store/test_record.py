from __future__ import annotations

from lateen.cluster.apiserver.store.record import DecodedCache, Record
from lateen.cluster.objects import Key, Obj


def record(revision: int, size: int) -> tuple[Record, Obj]:
    obj: Obj = {"metadata": {"name": "a"}, "data": {"x": "x" * size}}
    return Record.of(Key("n", "a"), revision, obj), obj


def test_the_least_recently_used_objects_go_when_there_are_too_many_bytes() -> None:
    cache = DecodedCache(capacity=100, max_bytes=10_000)
    made = [record(revision, 3_000) for revision in range(4)]
    for kept, obj in made[:3]:
        cache.put(kept, obj)
    assert cache.get(made[0][0]) is made[0][1]
    cache.put(*made[3])
    assert [cache.get(kept) is obj for kept, obj in (made[0], made[2], made[3])] == [True, True, True]
    assert cache.get(made[1][0]) is not made[1][1]
    assert cache.get(made[1][0]) == made[1][1]


def test_an_object_larger_than_the_bound_is_kept_alone() -> None:
    cache = DecodedCache(capacity=100, max_bytes=10)
    kept, obj = record(1, 100)
    cache.put(kept, obj)
    assert cache.get(kept) is obj
    cache.put(*record(2, 100))
    assert cache.get(kept) is not obj


def test_what_is_dropped_does_not_count() -> None:
    cache = DecodedCache(capacity=2, max_bytes=1_000_000)
    first, obj = record(1, 10)
    for _ in range(5):
        cache.put(first, obj)
    cache.drop(first)
    second, third = record(2, 10), record(3, 10)
    cache.put(*second)
    cache.put(*third)
    assert cache.get(second[0]) is second[1]

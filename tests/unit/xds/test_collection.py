from __future__ import annotations

from lateen.translate.resource import Resource, ResourceType, resource_of_bytes
from lateen.xds.collection import Collection


def resource(name: str, body: str) -> Resource:
    return resource_of_bytes(name, body.encode())


def collection(serial: int = 1, **bodies: str) -> Collection:
    found = Collection(serial, ResourceType.CDS, "view")
    found.load({name: resource(name, body) for name, body in bodies.items()})
    return found


A1, A2, B1 = resource("a", "1"), resource("a", "2"), resource("b", "1")


def test_equal_resources_make_no_generation() -> None:
    here = collection(a="1")
    assert not here.apply({"a": resource("a", "1"), "none": None})
    assert here.generation == 0


def test_the_past_is_what_was_replaced() -> None:
    here = collection(a="1")
    first = here.pin()
    assert here.apply({"a": A2, "b": B1})
    assert here.since(first) == {"a": A1, "b": None}
    assert here.at(first) == {"a": A1}
    here.apply({"b": None})
    assert here.since(first) == {"a": A1, "b": None}
    assert here.resources == {"a": A2}


def test_nothing_is_remembered_for_nobody() -> None:
    here = collection(a="1")
    here.apply({"a": A2})
    assert here.remembered == 0
    pinned = here.pin()
    here.apply({"a": A1})
    assert here.remembered == 1
    here.unpin(pinned)
    assert here.remembered == 0


def test_one_who_is_long_behind_costs_each_name_once() -> None:
    here = collection(a="0")
    first = here.pin()
    for number in range(1, 100):
        here.apply({"a": resource("a", str(number))})
    assert here.remembered == 1
    assert here.since(first) == {"a": resource("a", "0")}


def test_letting_go_of_one_generation_keeps_the_past_of_older_ones() -> None:
    here = collection(a="1")
    first = here.pin()
    here.apply({"a": A2})
    second = here.pin()
    here.apply({"b": B1})
    third = here.pin()
    here.apply({"a": None})
    here.unpin(second)
    assert here.since(first) == {"a": A1, "b": None}
    assert here.since(third) == {"a": A2}
    here.unpin(first)
    assert here.remembered == 1


def test_moving_from_another_collection_differs_by_content() -> None:
    old, new = collection(1, a="1", b="1", c="1"), collection(2, a="1", b="2", d="1")
    pinned = old.pin()
    old.apply({"c": None})
    assert new.moved_from(old, pinned) == {"b": B1, "c": resource("c", "1"), "d": None}

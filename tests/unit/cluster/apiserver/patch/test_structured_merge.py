from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.apiserver.patch.field_set import FieldSet
from lateen.cluster.apiserver.patch.structured_merge import merge, remove, with_containers
from lateen.cluster.apiserver.schema.schema import MISSING, Schema

NAMED = Schema(
    type="array",
    list_type="map",
    list_map_keys=("n",),
    items=Schema(type="object", properties={"n": Schema(type="string"), "v": Schema(type="integer")}),
)


@pytest.mark.parametrize(
    ("live", "config", "expected"),
    [
        ("abc", "b", "abc"),
        ("abc", "cb", "acb"),
        ("abc", "xb", "axbc"),
        ("abc", "bx", "abcx"),
        ("ab", "cd", "abcd"),
        ("", "ab", "ab"),
        ("ab", "", "ab"),
    ],
)
def test_order_of_named_items(live: str, config: str, expected: str) -> None:
    merged = merge([{"n": c} for c in live], [{"n": c} for c in config], NAMED)
    assert "".join(item["n"] for item in merged) == expected


@given(st.permutations("abcd"), st.integers(0, 4), st.permutations("cdef"), st.integers(0, 4))
def test_merged_lists_hold_everything_once_in_the_configurations_order(
    live: list[str], n: int, config: list[str], m: int
) -> None:
    left, right = live[:n], config[:m]
    merged = [i["n"] for i in merge([{"n": c} for c in left], [{"n": c} for c in right], NAMED)]
    assert sorted(merged) == sorted(set(left) | set(right))
    assert [c for c in merged if c in right] == right
    assert [c for c in merged if c not in right] == [c for c in left if c not in right]


def test_null_removes(widget: Schema) -> None:
    live = {"spec": {"replicas": 1, "data": {"a": "1", "b": "2"}}}
    assert merge(live, {"spec": {"replicas": None, "data": {"a": None}}}, widget) == {"spec": {"data": {"b": "2"}}}


def test_atomic_parts_are_replaced(widget: Schema) -> None:
    live: Any = {"spec": {"selector": {"a": "1"}, "open": {"l": [1], "k": 1}}}
    config = {"spec": {"selector": {"b": "1"}, "open": {"l": [2]}}}
    assert merge(live, config, widget) == {"spec": {"selector": {"b": "1"}, "open": {"l": [2], "k": 1}}}


def test_removing_the_last_member_removes_the_container(widget: Schema) -> None:
    live = {"spec": {"data": {"a": "1"}, "replicas": 1, "strategy": {}}}
    rest = remove(live, FieldSet.of(("f:spec", "f:data", "f:a")), widget)
    assert rest == {"spec": {"replicas": 1, "strategy": {}}}
    assert remove(live, FieldSet.of(("f:spec",)), widget) is MISSING


def test_declared_containers_become_members(widget: Schema) -> None:
    path = ("f:spec", "f:containers", 'k:{"name":"a"}', "f:image")
    full = with_containers(FieldSet.of(path, ("f:spec", "f:open", "f:x", "f:y")), widget)
    assert ("f:spec",) in full
    assert path[:2] in full
    assert path[:3] not in full
    assert ("f:spec", "f:open", "f:x") not in full

from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.patch.strategic import apply
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.status import StatusError


def spec(widget: Schema, doc: Any, patch: Any) -> Any:
    return apply({"spec": doc}, {"spec": patch}, widget)["spec"]


def test_lists_merge_by_key_and_nested(widget: Schema) -> None:
    doc = {"containers": [{"name": "a", "image": "1", "ports": [{"port": 1}]}, {"name": "b"}]}
    patch = {"containers": [{"name": "a", "image": "2", "ports": [{"port": 2}]}, {"name": "c"}]}
    # As on Kubernetes, what only the patch has comes before what only the object has.
    assert spec(widget, doc, patch) == {
        "containers": [
            {"name": "a", "image": "2", "ports": [{"port": 2}, {"port": 1}]},
            {"name": "c"},
            {"name": "b"},
        ]
    }


def test_atomic_lists_and_unknown_fields_are_replaced(widget: Schema) -> None:
    doc = {"containers": [{"name": "a", "args": ["x", "y"]}], "open": {"l": [1, 2]}}
    patch = {"containers": [{"name": "a", "args": ["z"]}], "open": {"l": [3]}}
    assert spec(widget, doc, patch) == {"containers": [{"name": "a", "args": ["z"]}], "open": {"l": [3]}}


def test_delete_directive_removes_an_item(widget: Schema) -> None:
    doc = {"containers": [{"name": "a"}, {"name": "b"}]}
    assert spec(widget, doc, {"containers": [{"name": "a", "$patch": "delete"}]}) == {"containers": [{"name": "b"}]}


def test_replace_directive_in_a_list_and_in_a_map(widget: Schema) -> None:
    doc = {"containers": [{"name": "a"}], "data": {"x": "1", "y": "2"}}
    patch = {"containers": [{"$patch": "replace"}, {"name": "b"}], "data": {"$patch": "replace", "z": "3"}}
    assert spec(widget, doc, patch) == {"containers": [{"name": "b"}], "data": {"z": "3"}}


def test_merge_and_delete_directives_in_a_map(widget: Schema) -> None:
    doc = {"data": {"x": "1"}, "strategy": {"type": "a"}}
    patch = {"data": {"$patch": "merge", "z": "3"}, "strategy": {"$patch": "delete"}}
    assert spec(widget, doc, patch) == {"data": {"x": "1", "z": "3"}, "strategy": {}}


def test_primitive_lists_merge_and_delete(widget: Schema) -> None:
    patch = {"tags": ["c", "a"], "$deleteFromPrimitiveList/tags": ["b"], "$setElementOrder/tags": ["c", "a"]}
    assert spec(widget, {"tags": ["a", "b"]}, patch) == {"tags": ["c", "a"]}
    assert spec(widget, {}, {"$deleteFromPrimitiveList/tags": ["b"]}) == {}


def test_element_order(widget: Schema) -> None:
    doc = {"containers": [{"name": "a"}, {"name": "server"}, {"name": "b"}]}
    patch = {
        "$setElementOrder/containers": [{"name": "b"}, {"name": "new"}, {"name": "a"}],
        "containers": [{"name": "new"}],
    }
    names = [c["name"] for c in spec(widget, doc, patch)["containers"]]
    assert [n for n in names if n != "server"] == ["b", "new", "a"]
    assert names.index("server") < names.index("b")


def test_retain_keys(widget: Schema) -> None:
    doc = {"strategy": {"type": "Rolling", "rolling": {"max": 1}}}
    patch = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert spec(widget, doc, patch) == {"strategy": {"type": "Recreate"}}


def test_null_removes_and_new_maps_carry_no_directives(widget: Schema) -> None:
    patch = {"replicas": None, "data": {"a": "1", "b": None}, "strategy": {"$retainKeys": ["type"], "type": "x"}}
    assert spec(widget, {"replicas": 3}, patch) == {"data": {"a": "1"}, "strategy": {"type": "x"}}


@pytest.mark.parametrize(
    "patch",
    [
        {"containers": [{"image": "no key"}]},
        {"containers": ["scalar"]},
        {"containers": [{"name": "a", "$patch": "frob"}]},
        {"containers": [{"name": "a", "$patch": "merge"}]},
        {"data": {"$patch": "frob"}},
        {"strategy": {"$retainKeys": ["type"], "rolling": {}}},
        {"strategy": {"$retainKeys": "type"}},
        {"$deleteFromPrimitiveList/tags": "a"},
        {"$setElementOrder/tags": "a"},
    ],
)
def test_malformed_patches_are_400(widget: Schema, patch: Any) -> None:
    doc = {"containers": [{"name": "a"}], "data": {}, "strategy": {"type": "a"}, "tags": ["a"]}
    before = repr(doc)
    with pytest.raises(StatusError) as caught:
        spec(widget, doc, patch)
    assert caught.value.code == 400
    assert repr(doc) == before

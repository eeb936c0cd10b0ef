from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.apiserver.patch.json_patch import MAX_OPERATIONS, apply, json_equal
from lateen.cluster.status import StatusError


@pytest.mark.parametrize(
    ("doc", "operations", "expected"),
    [
        ({"a": 1}, [{"op": "add", "path": "/b", "value": [1]}], {"a": 1, "b": [1]}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": [1, 2]}, [{"op": "remove", "path": "/a/-1"}], {"a": [1]}),
        ({"a": {"x/y": 1, "m~n": 2}}, [{"op": "remove", "path": "/a/x~1y"}], {"a": {"m~n": 2}}),
        ({"a": {"m~n": 2}}, [{"op": "replace", "path": "/a/m~0n", "value": None}], {"a": {"m~n": None}}),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/c"}], {"a": {}, "c": 1}),
        ({"a": [1, 2]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1, 2], "b": [1, 2]}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1.0}], {"a": 1}),
        ({"a": {}}, [{"op": "test", "path": "/a/none", "value": None}], {"a": {}}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
    ],
)
def test_operations(doc: Any, operations: list[Any], expected: Any) -> None:
    assert apply(doc, operations) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "test", "path": "/t", "value": 1},
        {"op": "remove", "path": "/none"},
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "add", "path": "/none/below", "value": 1},
        {"op": "add", "path": "/l/7", "value": 1},
        {"op": "add", "path": "/l/01", "value": 1},
        {"op": "add", "path": "/l/²", "value": 1},
        {"op": "move", "from": "/o", "path": "/o/inside"},
        {"op": "add", "path": "no-slash", "value": 1},
    ],
)
def test_an_operation_that_does_not_apply_is_422_and_changes_nothing(operation: Any) -> None:
    doc = {"a": 1, "t": True, "l": [1], "o": {}}
    with pytest.raises(StatusError) as caught:
        apply(doc, [{"op": "add", "path": "/a", "value": 1}, operation])
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert doc == {"a": 1, "t": True, "l": [1], "o": {}}


@pytest.mark.parametrize(
    "patch", [{}, [1], [{"op": "frob", "path": "/a"}], [{"op": "add", "value": 1}], [{"op": "copy", "path": "/a"}]]
)
def test_what_is_no_patch_is_400(patch: Any) -> None:
    with pytest.raises(StatusError) as caught:
        apply({}, patch)
    assert caught.value.code == 400


def test_too_many_operations_are_413() -> None:
    with pytest.raises(StatusError) as caught:
        apply({}, [{"op": "test", "path": "/a"}] * (MAX_OPERATIONS + 1))
    assert caught.value.code == 413


def test_copies_are_bounded() -> None:
    doubling = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 40
    with pytest.raises(StatusError) as caught:
        apply({"a": ["x" * 1000]}, doubling)
    assert caught.value.code == 422


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c~/"]), json_values), json_values)
def test_added_then_tested_then_removed(doc: dict[str, Any], value: Any) -> None:
    without = {k: v for k, v in doc.items() if k != "c~/"}
    path = "/c~0~1"
    added = apply(doc, [{"op": "add", "path": path, "value": value}, {"op": "test", "path": path, "value": value}])
    assert json_equal(added, {**without, "c~/": value})
    assert json_equal(apply(added, [{"op": "remove", "path": path}]), without)

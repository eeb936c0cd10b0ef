from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.apiserver.patch.merge_patch import apply
from lateen.cluster.status import StatusError


@pytest.mark.parametrize(
    ("doc", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_rfc_7386_examples(doc: Any, patch: Any, expected: Any) -> None:
    assert apply(doc, patch) == expected


def test_only_objects() -> None:
    with pytest.raises(StatusError) as caught:
        apply({}, [1])
    assert caught.value.code == 400


objects = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(0, 3)),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(0, 3) | inner),
    max_leaves=10,
)


def parts(value: Any) -> set[int]:
    """The identities of an object and of all objects within it."""
    return {id(value)}.union(*map(parts, value.values())) if isinstance(value, dict) else set()


@given(objects, objects)
def test_idempotent_and_shares_nothing(doc: dict[str, Any], patch: dict[str, Any]) -> None:
    before = deepcopy((doc, patch))
    once = apply(doc, patch)
    assert apply(once, patch) == once
    assert (doc, patch) == before
    assert not parts(once) & (parts(doc) | parts(patch))

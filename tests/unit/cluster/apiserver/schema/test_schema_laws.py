"""Laws that hold for any structural schema and any object."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.apiserver.schema.defaulting import apply_defaults
from lateen.cluster.apiserver.schema.json_schema import parse
from lateen.cluster.apiserver.schema.pruning import prune, unknown_fields
from lateen.cluster.apiserver.schema.validation import Validator
from lateen.cluster.apiserver.schema.value_equality import equal, unique_key
from lateen.cluster.objects import deep_copy

NAMES = st.sampled_from(["a", "b", "c", "spec", "name"])
SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0]) | st.sampled_from(["", "x", "yy"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)

LEAVES = st.one_of(
    st.builds(lambda least: {"type": "integer", "minimum": least}, st.integers(-2, 2)),
    st.builds(lambda d: {"type": "string", **({"default": d} if d else {})}, st.sampled_from(["", "x"])),
    st.just({"type": "boolean", "nullable": True}),
    st.just({"type": "number", "default": 1.0}),
    st.just({"x-kubernetes-int-or-string": True}),
    st.just({"x-kubernetes-preserve-unknown-fields": True}),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            lambda properties, d, keep: {
                "type": "object",
                "properties": properties,
                **({"default": {}} if d else {}),
                **({"x-kubernetes-preserve-unknown-fields": True} if keep else {}),
            },
            st.dictionaries(NAMES, inner, max_size=4),
            st.booleans(),
            st.booleans(),
        ),
        st.builds(lambda items: {"type": "array", "items": items, "x-kubernetes-list-type": "atomic"}, inner),
        st.builds(lambda values: {"type": "object", "additionalProperties": values}, inner),
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
ROOTS = st.builds(
    lambda properties: {"type": "object", "properties": properties}, st.dictionaries(NAMES, SCHEMAS, max_size=4)
)


@given(ROOTS, OBJECTS)
def test_pruning_leaves_nothing_unknown_and_is_idempotent(props: dict[str, Any], obj: dict[str, Any]) -> None:
    schema = parse(props)
    assert unknown_fields(obj, schema) == prune(deep_copy(obj), schema)
    prune(obj, schema)
    before = deep_copy(obj)
    assert prune(obj, schema) == []
    assert obj == before


@given(ROOTS, OBJECTS)
def test_defaulting_is_idempotent_and_survives_pruning(props: dict[str, Any], obj: dict[str, Any]) -> None:
    schema = parse(props)
    prune(obj, schema)
    apply_defaults(obj, schema)
    once = deep_copy(obj)
    apply_defaults(obj, schema)
    assert obj == once
    assert prune(obj, schema) == []


@given(ROOTS, OBJECTS)
def test_an_object_that_has_not_changed_is_never_complained_about(props: dict[str, Any], obj: dict[str, Any]) -> None:
    assert Validator(parse(props)).validate(obj, deep_copy(obj)) == []


@given(ROOTS, OBJECTS, OBJECTS)
def test_ratcheting_only_ever_forgives(props: dict[str, Any], obj: dict[str, Any], old: dict[str, Any]) -> None:
    validator = Validator(parse(props))
    assert set(validator.validate(obj, old)) <= set(validator.validate(obj))


@given(VALUES, VALUES)
def test_unique_keys_are_equal_exactly_when_values_are(a: Any, b: Any) -> None:
    assert equal(a, b) == (unique_key(a) == unique_key(b))
    assert equal(a, deep_copy(a))

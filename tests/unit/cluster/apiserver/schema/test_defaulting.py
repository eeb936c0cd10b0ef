"""Filling in defaults."""

from __future__ import annotations

from typing import Any

from lateen.cluster.apiserver.schema.defaulting import apply_defaults
from lateen.cluster.apiserver.schema.json_schema import parse


def defaulted(obj: Any, props: dict[str, Any]) -> Any:
    apply_defaults(obj, parse(props))
    return obj


INNER = {"type": "object", "properties": {"a": {"type": "integer", "default": 1}}}


def test_absent_fields_get_their_default() -> None:
    assert defaulted({}, {"type": "object", "properties": {"x": {"type": "string", "default": "y"}}}) == {"x": "y"}


def test_defaults_do_not_make_the_objects_around_them() -> None:
    assert defaulted({}, {"type": "object", "properties": {"spec": INNER}}) == {}
    assert defaulted({"spec": {}}, {"type": "object", "properties": {"spec": INNER}}) == {"spec": {"a": 1}}


def test_a_default_is_completed_by_those_inside_it() -> None:
    assert defaulted({}, {"type": "object", "properties": {"spec": {**INNER, "default": {}}}}) == {"spec": {"a": 1}}


def test_null_counts_as_absent_unless_it_is_allowed() -> None:
    props = {"type": "integer", "default": 3}
    assert defaulted({"x": None}, {"type": "object", "properties": {"x": props}}) == {"x": 3}
    nullable = {"type": "object", "properties": {"x": {**props, "nullable": True}}}
    assert defaulted({"x": None}, nullable) == {"x": None}


def test_elements_and_map_values() -> None:
    props = {
        "type": "object",
        "properties": {"list": {"type": "array", "items": INNER}},
        "additionalProperties": INNER,
    }
    assert defaulted({"list": [{}, {"a": 2}], "other": {}}, props) == {"list": [{"a": 1}, {"a": 2}], "other": {"a": 1}}


def test_a_default_is_not_shared_between_objects() -> None:
    schema = parse({"type": "object", "properties": {"x": {"type": "array", "default": [], "items": INNER}}})
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    apply_defaults(first, schema)
    first["x"].append({})
    apply_defaults(second, schema)
    assert second == {"x": []}


def test_what_does_not_fit_is_left_alone() -> None:
    assert defaulted("text", {"type": "object", "properties": {"spec": INNER}}) == "text"
    assert defaulted({"spec": [1]}, {"type": "object", "properties": {"spec": INNER}}) == {"spec": [1]}

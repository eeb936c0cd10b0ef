"""Validation: which causes, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.apiserver.schema.json_schema import parse
from lateen.cluster.apiserver.schema.schema import MISSING
from lateen.cluster.apiserver.schema.validation import Validator
from lateen.cluster.objects import GVK
from lateen.cluster.status import Cause

Props = dict[str, Any]


def of(x: Props, *needed: str) -> Props:
    return {"type": "object", "properties": {"x": x}, "required": list(needed)}


def causes(props: Props, obj: Any, old: Any = MISSING) -> list[tuple[str, str, str]]:
    return [(c.type, c.field, c.message) for c in Validator(parse(props)).validate(obj, old)]


INVALID, TYPE = "FieldValueInvalid", "FieldValueTypeInvalid"


@pytest.mark.parametrize(
    ("x", "value", "expected"),
    [
        ({"type": "integer"}, "s", (TYPE, 'Invalid value: "string": x in body must be of type integer: "string"')),
        ({"type": "string"}, 1, (TYPE, 'Invalid value: "integer": x in body must be of type string: "integer"')),
        ({"type": "integer"}, 1.5, (TYPE, 'Invalid value: "number": x in body must be of type integer: "number"')),
        ({"type": "integer"}, True, (TYPE, 'Invalid value: "boolean": x in body must be of type integer: "boolean"')),
        ({"type": "object"}, None, (TYPE, 'Invalid value: "null": x in body must be of type object: "null"')),
        (
            {"type": "array", "items": {}},
            {},
            (TYPE, 'Invalid value: "object": x in body must be of type array: "object"'),
        ),
        (
            {"x-kubernetes-int-or-string": True},
            False,
            (TYPE, 'Invalid value: "boolean": x in body must be of type integer,string: "boolean"'),
        ),
        (
            {"type": "string", "enum": ["a", "b"]},
            "c",
            ("FieldValueNotSupported", 'Unsupported value: "c": supported values: "a", "b"'),
        ),
        ({"type": "string", "maxLength": 2}, "abc", ("FieldValueTooLong", "Too long: may not be more than 2 bytes")),
        (
            {"type": "string", "minLength": 2},
            "é",
            (INVALID, 'Invalid value: "é": x in body should be at least 2 chars long'),
        ),
        ({"type": "string", "pattern": "^a+$"}, "b", (INVALID, "Invalid value: \"b\": x in body should match '^a+$'")),
        (
            {"type": "string", "format": "date-time"},
            "today",
            (TYPE, 'Invalid value: "today": x in body must be of type date-time: "today"'),
        ),
        (
            {"type": "integer", "minimum": 1},
            0,
            (INVALID, "Invalid value: 0: x in body should be greater than or equal to 1"),
        ),
        (
            {"type": "integer", "minimum": 1, "exclusiveMinimum": True},
            1,
            (INVALID, "Invalid value: 1: x in body should be greater than 1"),
        ),
        (
            {"type": "number", "maximum": 1.5},
            2,
            (INVALID, "Invalid value: 2: x in body should be less than or equal to 1.5"),
        ),
        (
            {"type": "integer", "maximum": 3, "exclusiveMaximum": True},
            3,
            (INVALID, "Invalid value: 3: x in body should be less than 3"),
        ),
        ({"type": "integer", "multipleOf": 3}, 4, (INVALID, "Invalid value: 4: x in body should be a multiple of 3")),
        (
            {"type": "integer", "format": "int32"},
            2**31,
            (INVALID, "Invalid value: 2147483648: Checked value must be of type integer with format int32 in x"),
        ),
        (
            {"type": "array", "items": {"type": "string"}, "maxItems": 1},
            ["a", "b"],
            ("FieldValueTooMany", "Too many: 2: must have at most 1 items"),
        ),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            [],
            (INVALID, "Invalid value: 0: x in body should have at least 1 items"),
        ),
        (
            {"type": "object", "maxProperties": 0, "additionalProperties": {"type": "string"}},
            {"a": "b"},
            ("FieldValueTooMany", "Too many: 1: must have at most 0 items"),
        ),
        (
            {"type": "object", "minProperties": 1},
            {},
            (INVALID, "Invalid value: 0: x in body should have at least 1 properties"),
        ),
    ],
)
def test_one_fault(x: Props, value: Any, expected: tuple[str, str]) -> None:
    kind, message = expected
    assert causes(of(x), {"x": value}) == [(kind, "x", message)]


@pytest.mark.parametrize(
    ("x", "value"),
    [
        ({"type": "number"}, 1),
        ({"type": "integer"}, 1.0),
        ({"type": "string", "nullable": True}, None),
        ({"x-kubernetes-preserve-unknown-fields": True}, None),
        ({"type": "string", "format": "something-else"}, "x"),
        ({"type": "string", "pattern": "b"}, "abc"),
        ({"type": "string", "maxLength": 1}, "é"),
        ({"type": "number", "multipleOf": 0.1}, 0.3),
        ({"type": "integer", "enum": [1, 2]}, 2),
        ({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}, [1, 2]),
    ],
)
def test_no_fault(x: Props, value: Any) -> None:
    assert causes(of(x), {"x": value}) == []


def test_required_fields_and_paths() -> None:
    props = of({"type": "array", "items": of({"type": "integer"}, "x", "y")}, "x")
    assert causes(props, {}) == [("FieldValueRequired", "x", "Required value")]
    assert [c[:2] for c in causes(props, {"x": [{"x": 1, "y": 2}, {"x": "s"}]})] == [
        (TYPE, "x[1].x"),
        ("FieldValueRequired", "x[1].y"),
    ]


def test_any_of_names_the_closest_alternative() -> None:
    props = {**of({"type": "integer"}), "anyOf": [{"required": ["a", "b"]}, {"required": ["x"]}]}
    assert causes(props, {"x": 1}) == []
    assert causes({"type": "object", "properties": {"spec": props}}, {"spec": {}}) == [
        (INVALID, "<nil>", 'Invalid value: "": "spec" must validate at least one schema (anyOf)'),
        ("FieldValueRequired", "spec.x", "Required value"),
    ]


def test_one_of_all_of_and_not() -> None:
    either = {"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object"}
    message = 'Invalid value: "": "x" must validate one and only one schema (oneOf). '
    assert causes(of(either), {"x": {"a": 1}}) == []
    assert causes(of(either), {"x": {"a": 1, "b": 1}}) == [(INVALID, "<nil>", message + "Found 2 valid alternatives")]
    assert causes(of(either), {"x": {}})[0] == (INVALID, "<nil>", message + "Found none valid")
    both = {"type": "integer", "allOf": [{"minimum": 1}, {"maximum": 3}]}
    assert causes(of(both), {"x": 2}) == []
    assert causes(of(both), {"x": 4})[-1][2] == 'Invalid value: "": "x" must validate all the schemas (allOf)'
    never = {"type": "string", "not": {"pattern": "^a"}}
    assert causes(of(never), {"x": "b"}) == []
    assert causes(of(never), {"x": "a"})[0][2] == 'Invalid value: "": "x" must not validate the schema (not)'


def test_duplicates_in_sets_and_maps() -> None:
    element = {"type": "object", "properties": {"name": {"type": "string"}, "port": {"type": "integer"}}}
    keyed = {
        "type": "array",
        "items": element,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name", "port"],
    }
    listed = [{"name": "a", "port": 1}, {"name": "a", "port": 2}, {"name": "a", "port": 1}]
    assert causes(of(keyed), {"x": listed}) == [
        ("FieldValueDuplicate", "x[2]", 'Duplicate value: {"name":"a","port":1}')
    ]
    plain = {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}
    assert causes(of(plain), {"x": ["a", "b", "a", "a"]}) == [("FieldValueDuplicate", "x[2]", 'Duplicate value: "a"')]


def test_what_has_not_changed_is_not_complained_about() -> None:
    element = of({"type": "integer", "minimum": 5})
    element["properties"]["name"] = {"type": "string"}
    listed = {
        "type": "array",
        "items": element,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    old = {"x": [{"name": "a", "x": 1}]}
    assert causes(of(listed), {"x": [{"name": "b", "x": 7}, {"name": "a", "x": 1}]}, old) == []
    assert [c[1] for c in causes(of(listed), {"x": [{"name": "a", "x": 2}]}, old)] == ["x[0].x"]


def test_embedded_resources_name_themselves() -> None:
    embedded = {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
    assert causes(of(embedded), {"x": {"apiVersion": "v1", "kind": "Pod"}}) == []
    assert causes(of(embedded), {"x": {"kind": "Pod"}}) == [
        ("FieldValueRequired", "x.apiVersion", "Required value: must not be empty")
    ]


def test_rules_wait_for_a_schema_that_holds() -> None:
    props = of({"type": "integer", "minimum": 1, "x-kubernetes-validations": [{"rule": "self != 3"}]})
    assert causes(props, {"x": 3}) == [(INVALID, "x", 'Invalid value: "integer": failed rule: self != 3')]
    assert causes(props, {"x": "s"})[-1] == (
        INVALID,
        "<nil>",
        'Invalid value: "null": some validation rules were not checked because the object was invalid; correct the'
        " existing errors to complete validation",
    )
    # A value out of bounds is no reason to leave rules out.
    assert [c[1] for c in causes(props, {"x": 0})] == ["x"]


def test_recursive_schemas_compile(schemas: BuiltinSchemas) -> None:
    validator = Validator(schemas.for_gvk(GVK("apiextensions.k8s.io", "v1", "CustomResourceDefinition")))
    nested = {"spec": {"versions": [{"schema": {"openAPIV3Schema": {"not": {"not": {"type": 1}}}}}]}}
    assert any(cause.field.endswith("not.not.type") for cause in validator.validate(nested))


def test_a_bad_pattern_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="missing"):
        Validator(parse({"type": "string", "pattern": "("}))


def test_causes_are_values() -> None:
    assert Validator(parse({"type": "string"})).validate(1) == [
        Cause(TYPE, 'Invalid value: "integer":  in body must be of type string: "integer"', "<nil>")
    ]

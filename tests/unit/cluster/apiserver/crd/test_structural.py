"""What makes a schema structural."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.apiserver.crd.structural import object_schema, structural_faults
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.apiserver.schema.pruning import prune

META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def of(x: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": x}, **more}


@pytest.mark.parametrize(
    ("props", "field", "message"),
    [
        ({}, "s.type", "Required value: must not be empty at the root"),
        ({"type": "string"}, "s.type", 'Invalid value: "string": must be object at the root'),
        (of({}), "s.properties[x].type", "Required value: must not be empty for specified object fields"),
        (of({"type": "array"}), "s.properties[x].items", "Required value: must be specified"),
        (
            of({"type": "array", "items": {}}),
            "s.properties[x].items.type",
            "Required value: must not be empty for specified array items",
        ),
        (of({"type": "text"}), "s.properties[x].type", 'Unsupported value: "text": supported values: "array"'),
        (
            of({"type": "string"}, additionalProperties=True),
            "s.additionalProperties",
            "Forbidden: additionalProperties and properties are mutual exclusive",
        ),
        (
            of({"type": "integer", "allOf": [{"type": "integer"}]}),
            "s.properties[x].allOf[0].type",
            "Forbidden: must be",
        ),
        (of({"type": "string", "not": {"description": "d"}}), "s.properties[x].not.description", "Forbidden: must be"),
        (
            of({"type": "string", "anyOf": [{"x-kubernetes-validations": [{"rule": "true"}]}]}),
            "s.properties[x].anyOf[0].x-kubernetes-validations",
            "Forbidden: must be empty to be structural",
        ),
        (
            of({"type": "object"}, oneOf=[{"properties": {"y": {}}}]),
            "s.properties[y]",
            "Required value: because it is defined in s.oneOf[0].properties[y]",
        ),
        (
            of({"type": "string", "pattern": "("}),
            "s.properties[x].pattern",
            'Invalid value: "(": must be a valid regular expression, but isn\'t: missing ):',
        ),
        (of({"$ref": "#/x", "type": "string"}), "s.properties[x].$ref", "Forbidden: $ref is not supported"),
        (
            of({"type": "array", "uniqueItems": True, "items": {"type": "string"}}),
            "s.properties[x].uniqueItems",
            "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ),
        (
            of({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "map"}),
            "s.properties[x].x-kubernetes-list-map-keys",
            "Required value: must not be empty if x-kubernetes-list-type is map",
        ),
        (
            of(
                {
                    "type": "array",
                    "items": {"type": "object", "properties": {"k": {"type": "string"}}},
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["k"],
                }
            ),
            "s.properties[x].items.properties[k].default",
            "Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a",
        ),
        (
            {"type": "object", "properties": {"metadata": of({"type": "string"})}},
            "s.properties[metadata]",
            "Forbidden: must not specify anything other than name and generateName, but metadata is implicitly",
        ),
        (
            of({"type": "object", "x-kubernetes-embedded-resource": True}),
            "s.properties[x].properties",
            "Required value: must not be empty if x-kubernetes-embedded-resource is true without",
        ),
        (
            of({"x-kubernetes-int-or-string": True, "x-kubernetes-preserve-unknown-fields": True}),
            "s.properties[x].x-kubernetes-preserve-unknown-fields",
            "Invalid value: true: must be false if x-kubernetes-int-or-string is true",
        ),
    ],
)
def test_faults(props: dict[str, Any], field: str, message: str) -> None:
    found = structural_faults(props, "s")
    assert any(cause.field == field and cause.message.startswith(message) for cause in found), found


@pytest.mark.parametrize(
    "props",
    [
        {"type": "object"},
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        {"type": "object", "description": "d", "required": ["x"], "properties": {"metadata": {"type": "object"}}},
        {"type": "object", "properties": {"metadata": {"type": "object", "properties": {"name": {"type": "string"}}}}},
        of({"x-kubernetes-int-or-string": True, "anyOf": INT_OR_STRING, "pattern": "^a"}),
        of({"x-kubernetes-int-or-string": True, "allOf": [{"anyOf": INT_OR_STRING}, {"pattern": "^a"}]}),
        of({"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}),
        of({"type": "object"}, oneOf=[{"required": ["x"]}, {"not": {"anyOf": [{"required": ["x"]}]}}]),
        of({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set", "maxItems": 3}),
        of({"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}),
    ],
)
def test_structural(props: dict[str, Any]) -> None:
    assert structural_faults(props, "s") == []


def test_a_schema_cannot_be_nested_without_end() -> None:
    props: dict[str, Any] = {"type": "string"}
    for _ in range(400):
        props = of(props)
    assert structural_faults(props, "s")[0].message.endswith("must not nest deeper than 100 levels")


def test_objects_have_the_metadata_of_kubernetes(schemas: BuiltinSchemas) -> None:
    schema = object_schema(
        of({"type": "object", "x-kubernetes-embedded-resource": True, "properties": {}}), schemas.definition(META)
    )
    meta = {"name": "a", "labels": {"x": "y"}, "finalizers": ["f"], "nope": 1}
    obj = {
        "apiVersion": "a/v1",
        "kind": "B",
        "metadata": dict(meta),
        "x": {"kind": "C", "metadata": dict(meta), "y": 1},
    }
    assert prune(obj, schema) == ["metadata.nope", "x.metadata.nope", "x.y"]


def test_without_a_schema_anything_goes(schemas: BuiltinSchemas) -> None:
    assert prune({"spec": {"x": 1}}, object_schema(None, schemas.definition(META))) == []

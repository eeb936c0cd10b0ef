"""CustomResourceDefinitions from types: structural schemas in the form that Kubernetes and its tools know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lateen.api.kind import Column, Kind
from lateen.api.schema.documentation import Documentation
from lateen.api.schema.message import Rule
from lateen.api.schema.shape import (
    Alternatives,
    Anything,
    Boolean,
    Choice,
    Entries,
    FieldShape,
    Items,
    MessageShape,
    Number,
    Shape,
    Span,
    Text,
    shape_of,
)

Schema = dict[str, Any]

_INTEGERS: Final = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
}
_DURATION: Final = r"^([-+]?(([0-9]+\.?[0-9]*|\.[0-9]+)(h|m|s|ms|us|µs|μs|ns))+|[-+]?0)$"
"""What `parse_duration` reads. Istio's own definitions leave most durations to its webhook."""
_UINT64: Final = 2**64 - 1
_AGE: Final = Column("Age", ".metadata.creationTimestamp", "When the resource was created", "date")


def definition(kind: Kind, documentation: Documentation) -> Schema:
    """The CustomResourceDefinition of one of the mesh's own kinds."""
    schema = _resource_schema(kind, documentation)
    columns = [_column(column) for column in (*kind.columns, _AGE)]
    names: Schema = {
        "kind": kind.kind,
        "listKind": f"{kind.kind}List",
        "plural": kind.plural,
        "singular": kind.singular,
        "categories": list(kind.categories),
    }
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{kind.group}",
            "labels": {"app.kubernetes.io/part-of": "lateen"},
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        "spec": {
            "group": kind.group,
            "names": names,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == kind.storage,
                    "additionalPrinterColumns": columns,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
                for version in kind.versions
            ],
        },
    }


def _column(column: Column) -> Schema:
    return {
        "name": column.name,
        "type": column.type,
        "jsonPath": column.json_path,
        "description": column.description,
    }


def _resource_schema(kind: Kind, documentation: Documentation) -> Schema:
    assert kind.spec is not None
    spec = kind.spec_decoder.shape
    status = shape_of(kind.status)
    schema: Schema = {
        "type": "object",
        "description": kind.description,
        "properties": {
            "spec": _described(documentation.of_type(kind.spec) or kind.description, schema_of(spec, documentation)),
            "status": {
                **_described(documentation.of_type(kind.status), schema_of(status, documentation)),
                "x-kubernetes-preserve-unknown-fields": True,
            },
        },
    }
    if kind.needs_spec:
        schema["required"] = ["spec"]
    return schema


def schema_of(shape: Shape, documentation: Documentation) -> Schema:
    """The OpenAPI v3 schema of a shape."""
    schema = _plain_schema(shape, documentation)
    if shape.rules:
        schema["x-kubernetes-validations"] = [_rule(rule) for rule in shape.rules]
    return schema


def _plain_schema(shape: Shape, documentation: Documentation) -> Schema:
    match shape:
        case MessageShape():
            return _message(shape, documentation)
        case Items():
            return _items(shape, documentation)
        case Entries():
            return {
                "type": "object",
                "additionalProperties": schema_of(shape.value, documentation),
                **_bounds("Properties", shape.min_length, shape.max_length),
            }
        case Text():
            return _text(shape)
        case Number():
            return _number(shape)
        case Choice():
            return {"type": "string", "enum": list(shape.values)}
        case Boolean():
            return {"type": "boolean"}
        case Span():
            return {"type": "string", "pattern": _DURATION}
        case Alternatives():
            return {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
        case Anything():
            kind: Schema = {"type": "object"} if shape.is_object else {}
            return {**kind, "x-kubernetes-preserve-unknown-fields": True}


def _message(shape: MessageShape, documentation: Documentation) -> Schema:
    texts = documentation.of_members(shape.type)
    schema: Schema = {"type": "object"}
    if shape.fields:
        properties = schema["properties"] = {}
        for field in shape.fields:
            property_schema = _field(field, shape, texts.get(field.attribute, ""), documentation)
            for name in filter(None, (field.name, field.other_name)):
                properties[name] = property_schema
    required = [field.name for field in shape.fields if field.required]
    if required:
        schema["required"] = required
    exclusive = [_at_most_one(group) for group in shape.oneofs]
    if len(exclusive) == 1:
        schema.update(exclusive[0])
    elif exclusive:
        schema["allOf"] = exclusive
    return schema


def _field(field: FieldShape, owner: MessageShape, text: str, documentation: Documentation) -> Schema:
    schema = _described(text, schema_of(field.shape, documentation))
    in_oneof = any(field.name in group for group in owner.oneofs)
    if field.nullable and not in_oneof and isinstance(field.shape, (Boolean, Number, Text)):
        # A wrapped scalar; of all messages these alone may be null in Istio's CRDs.
        schema["nullable"] = True
    return schema


def _described(text: str, schema: Schema) -> Schema:
    return {"description": text, **schema} if text else schema


def _at_most_one(group: Sequence[str]) -> Schema:
    each = [{"required": [name]} for name in group]
    return {"oneOf": [{"not": {"anyOf": each}}, *each]}


def _items(shape: Items, documentation: Documentation) -> Schema:
    schema: Schema = {
        "type": "array",
        "items": schema_of(shape.item, documentation),
        **_bounds("Items", shape.min_length, shape.max_length),
    }
    if shape.map_keys:
        schema["x-kubernetes-list-type"] = "map"
        schema["x-kubernetes-list-map-keys"] = list(shape.map_keys)
    return schema


def _text(shape: Text) -> Schema:
    schema: Schema = {"type": "string"}
    if shape.base64:
        schema["format"] = "byte"
    else:
        schema.update(_bounds("Length", shape.min_length, shape.max_length))
    if shape.format:
        schema["format"] = shape.format
    if shape.pattern is not None:
        schema["pattern"] = shape.pattern
    return schema


def _bounds(what: str, least: int | None, most: int | None) -> Schema:
    schema: Schema = {}
    if least is not None:
        schema[f"min{what}"] = least
    if most is not None:
        schema[f"max{what}"] = most
    return schema


def _number(shape: Number) -> Schema:
    schema: Schema = {"type": "integer" if shape.is_integer else "number"}
    if not shape.is_integer:
        schema["format"] = "double"
    minimum, maximum = shape.minimum, shape.maximum
    if shape.is_integer:
        for name, (least, most) in _INTEGERS.items():
            if maximum == most:
                # The format says these bounds.
                schema["format"], maximum = name, None
                minimum = None if minimum == least else minimum
        if maximum == _UINT64:
            # Beyond what Kubernetes' own integers hold.
            maximum = None
    for bound, name, exclusive in ((minimum, "minimum", shape.above), (maximum, "maximum", shape.below)):
        if exclusive is not None:
            schema[name] = _plain(exclusive)
            schema[f"exclusive{name.capitalize()}"] = True
        elif bound is not None:
            schema[name] = _plain(bound)
    return schema


def _plain(bound: float) -> int | float:
    return int(bound) if float(bound).is_integer() else bound


def _rule(rule: Rule) -> Schema:
    return {"rule": rule.expression, "message": rule.message}

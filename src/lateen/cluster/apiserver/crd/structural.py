"""Structural schemas: the rules that make one, and the complete schema of a custom resource's objects.

Source: k8s.io/apiextensions-apiserver `apiserver/schema` (`ValidateStructural`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

from lateen.cluster.apiserver.schema.json_schema import parse
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.apiserver.schema.value_checks import compile_pattern
from lateen.cluster.objects import Obj
from lateen.cluster.status import Cause, forbidden_field, invalid_value, not_supported, required

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
_FORBIDDEN_NESTED: Final = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    "externalDocs": "must be undefined to be structural",
    "x-kubernetes-preserve-unknown-fields": "must be false to be structural",
    "x-kubernetes-embedded-resource": "must be false to be structural",
    "x-kubernetes-int-or-string": "must be false to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
    "x-kubernetes-validations": "must be empty to be structural",
}
_FORBIDDEN: Final = {
    "definitions": "definitions is not supported",
    "dependencies": "dependencies is not supported",
    "id": "id is not supported",
    "$ref": "$ref is not supported",
    "patternProperties": "patternProperties is not supported",
    "additionalItems": "additionalItems is not supported",
}
_JUNCTORS: Final = ("allOf", "anyOf", "oneOf")
_MISSING_TYPE: Final = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
DEEPEST: Final = 100
"""Levels a schema may nest; deeper ones are refused rather than recursed into."""


def object_schema(props: Obj | None, meta: Schema) -> Schema:
    """The schema of whole objects: what the CRD says, with `apiVersion`, `kind` and `metadata` that go without saying.

    `meta` is Kubernetes' ObjectMeta. Without a schema, anything goes.
    """
    schema = parse(props) if props else Schema(type="object", preserve_unknown=True)
    _complete(schema, _forgiving(meta), root=True)
    return schema


def _forgiving(schema: Schema) -> Schema:
    """Metadata is Kubernetes' own type, in which null means absent: `labels:` with nothing behind it is fine."""
    return dataclasses.replace(
        schema,
        nullable=True,
        properties={name: _forgiving(child) for name, child in schema.properties.items()},
        items=_forgiving(schema.items) if schema.items is not None else None,
        additional=_forgiving(schema.additional) if schema.additional is not None else None,
    )


def _complete(schema: Schema, meta: Schema, *, root: bool = False) -> None:
    for child in (*schema.properties.values(), schema.items, schema.additional):
        if child is not None:
            _complete(child, meta)
    if root or schema.embedded_resource:
        own = schema.properties.get("metadata")
        said = own.properties if own is not None else {}
        schema.properties = {
            **schema.properties,
            "apiVersion": schema.properties.get("apiVersion") or Schema(type="string"),
            "kind": schema.properties.get("kind") or Schema(type="string"),
            # A CRD may constrain the name; everything else about metadata is Kubernetes' own.
            "metadata": dataclasses.replace(meta, nullable=False, properties={**meta.properties, **said}),
        }


def structural_faults(props: Obj, path: str) -> list[Cause]:
    """What keeps a schema from being structural, by `openAPIV3Schema`'s field path."""
    if _depth(props) > DEEPEST:
        return [invalid_value(path, "", f"must not nest deeper than {DEEPEST} levels")]
    found = list(_node(props, path, "root"))
    return sorted(found, key=lambda cause: (cause.field, cause.message))


def _depth(value: Any) -> int:
    """Without recursion: the value may be hostile."""
    depth, level = 0, [value]
    while level and depth <= DEEPEST * 3:
        depth += 1
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
            if isinstance(child, (dict, list))
        ]
    return depth // 2


def _node(props: Obj, path: str, level: str) -> Iterator[Cause]:
    kind = props.get("type") or ""
    int_or_string = bool(props.get("x-kubernetes-int-or-string"))
    preserve = bool(props.get("x-kubernetes-preserve-unknown-fields"))
    embedded = bool(props.get("x-kubernetes-embedded-resource"))
    properties, additional = props.get("properties") or {}, props.get("additionalProperties")
    items = props.get("items")
    for name, detail in _FORBIDDEN.items():
        if props.get(name):
            yield forbidden_field(f"{path}.{name}", detail)
    if kind and kind not in _TYPES:
        yield not_supported(f"{path}.type", kind, _TYPES)
    if embedded and kind != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        yield invalid_value(f"{path}.type", kind, detail) if kind else required(f"{path}.type", detail)
    elif not kind and not int_or_string and not preserve:
        yield required(f"{path}.type", _MISSING_TYPE[level])
    if level == "root" and kind and kind != "object":
        yield invalid_value(f"{path}.type", kind, "must be object at the root")
    if kind == "array" and items is None:
        yield required(f"{path}.items", "must be specified")
    if isinstance(items, list):
        yield forbidden_field(f"{path}.items", "items must be a schema object and not an array")
    if props.get("uniqueItems"):
        yield forbidden_field(
            f"{path}.uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        )
    if additional is False or (additional is not None and properties):
        detail = "additionalProperties and properties are mutual exclusive"
        if additional is False:
            detail = "additionalProperties cannot be set to false"
        yield forbidden_field(f"{path}.additionalProperties", detail)
    if additional is not None and level == "root":
        yield forbidden_field(f"{path}.additionalProperties", "must not be used at the root")
    if additional is not None and embedded:
        detail = "must not be used if x-kubernetes-embedded-resource is set"
        yield forbidden_field(f"{path}.additionalProperties", detail)
    if embedded and not preserve and not properties:
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        yield required(f"{path}.properties", detail)
    if int_or_string and preserve:
        detail = "must be false if x-kubernetes-int-or-string is true"
        yield invalid_value(f"{path}.x-kubernetes-preserve-unknown-fields", True, detail)
    yield from _lists(props, path, kind)
    yield from _metadata(properties, path, level, embedded)
    yield from _validations(props, path, int_or_string=int_or_string)
    yield from _completeness(props, props, path)
    for name, child in properties.items():
        if isinstance(child, dict):
            yield from _node(child, f"{path}.properties[{name}]", "field")
    if isinstance(items, dict):
        yield from _node(items, f"{path}.items", "item")
    if isinstance(additional, dict):
        yield from _node(additional, f"{path}.additionalProperties", "field")


def _lists(props: Obj, path: str, kind: str) -> Iterator[Cause]:
    list_type, keys = props.get("x-kubernetes-list-type"), props.get("x-kubernetes-list-map-keys") or []
    map_type = props.get("x-kubernetes-map-type")
    said = props.get("items")
    items: Obj = said if isinstance(said, dict) else {}
    if list_type is not None:
        if kind != "array":
            yield invalid_value(f"{path}.type", kind, "must be array if x-kubernetes-list-type is specified")
        if list_type not in ("atomic", "set", "map"):
            yield not_supported(f"{path}.x-kubernetes-list-type", list_type, ("atomic", "map", "set"))
    if list_type == "map":
        if not keys:
            detail = "must not be empty if x-kubernetes-list-type is map"
            yield required(f"{path}.x-kubernetes-list-map-keys", detail)
        if items and items.get("type") != "object":
            detail = "must be object if parent array's x-kubernetes-list-type is map"
            yield invalid_value(f"{path}.items.type", items.get("type") or "", detail)
        known = items.get("properties") or {}
        for index, key in enumerate(keys):
            where = f"{path}.x-kubernetes-list-map-keys[{index}]"
            if key not in known:
                yield invalid_value(where, key, "entries must all be names of item properties")
            elif known[key].get("type") in ("array", "object"):
                detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
                yield invalid_value(f"{path}.items.properties[{key}].type", known[key].get("type"), detail)
            elif key not in (items.get("required") or ()) and "default" not in known[key]:
                detail = (
                    "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required"
                    " property"
                )
                yield required(f"{path}.items.properties[{key}].default", detail)
    elif keys:
        if list_type is None:
            detail = 'must be "map" if x-kubernetes-list-map-keys is non-empty'
            yield required(f"{path}.x-kubernetes-list-type", detail)
        else:
            detail = 'must be "map" if x-kubernetes-list-map-keys is non-empty'
            yield invalid_value(f"{path}.x-kubernetes-list-type", list_type, detail)
    if list_type == "set":
        nested = items.get("x-kubernetes-map-type")
        if items.get("type") == "object" and nested != "atomic":
            detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
            yield invalid_value(f"{path}.items.x-kubernetes-map-type", nested or "", detail)
    if map_type is not None:
        if kind != "object":
            yield invalid_value(f"{path}.type", kind, "must be object if x-kubernetes-map-type is specified")
        if map_type not in ("atomic", "granular"):
            yield not_supported(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular"))


def _metadata(properties: Obj, path: str, level: str, embedded: bool) -> Iterator[Cause]:
    if level != "root" and not embedded:
        return
    for name in ("apiVersion", "kind"):
        child = properties.get(name)
        if isinstance(child, dict) and child.get("type") != "string":
            yield invalid_value(f"{path}.properties[{name}].type", child.get("type") or "", "must be string")
    meta = properties.get("metadata")
    if not isinstance(meta, dict):
        return
    where = f"{path}.properties[metadata]"
    if meta.get("type") != "object":
        yield invalid_value(f"{where}.type", meta.get("type") or "", "must be object")
    said = set(meta) - {"type", "description", "properties", "title", "required"}
    if level == "root" and (said or set(meta.get("properties") or ()) - {"name", "generateName"}):
        detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield forbidden_field(where, detail)


def _validations(props: Obj, path: str, *, int_or_string: bool) -> Iterator[Cause]:
    """The value validations of a node, and those nested in them (where structure must not be spoken of)."""
    for junctor in _JUNCTORS:
        for index, nested in enumerate(props.get(junctor) or ()):
            where = f"{path}.{junctor}[{index}]"
            allowed = int_or_string and (
                (junctor == "anyOf" and props["anyOf"] == _INT_OR_STRING)
                or (junctor == "allOf" and index == 0 and nested.get("anyOf") == _INT_OR_STRING)
            )
            if not allowed:
                yield from _nested(nested, where)
    if isinstance(props.get("not"), dict):
        yield from _nested(props["not"], f"{path}.not")
    if pattern := props.get("pattern"):
        try:
            compile_pattern(pattern)
        except ValueError as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            yield invalid_value(f"{path}.pattern", pattern, detail)


def _nested(props: Obj, path: str) -> Iterator[Cause]:
    for name, detail in _FORBIDDEN_NESTED.items():
        if props.get(name):
            yield forbidden_field(f"{path}.{name}", detail)
    yield from _validations(props, path, int_or_string=False)
    if isinstance(props.get("items"), dict):
        yield from _nested(props["items"], f"{path}.items")
    for name, child in (props.get("properties") or {}).items():
        if name == "metadata":
            yield forbidden_field(f"{path}.properties[metadata]", "must not be specified in a nested context")
        yield from _nested(child, f"{path}.properties[{name}]")


def _completeness(validations: Obj, structure: Obj, path: str) -> Iterator[Cause]:
    """Every field that a nested validation speaks of must exist in the structure."""
    for junctor in _JUNCTORS:
        for index, nested in enumerate(validations.get(junctor) or ()):
            yield from _exists(nested, structure, f"{path}.{junctor}[{index}]", path)
    if isinstance(validations.get("not"), dict):
        yield from _exists(validations["not"], structure, f"{path}.not", path)


def _exists(nested: Obj, structure: Obj, where: str, path: str) -> Iterator[Cause]:
    if isinstance(nested.get("items"), dict):
        if not isinstance(structure.get("items"), dict):
            yield required(f"{path}.items", f"because it is defined in {where}.items")
        else:
            yield from _exists(nested["items"], structure["items"], f"{where}.items", f"{path}.items")
    for name, child in (nested.get("properties") or {}).items():
        known = (structure.get("properties") or {}).get(name)
        if known is None and structure.get("x-kubernetes-preserve-unknown-fields") and not structure.get("properties"):
            continue
        if known is None:
            yield required(f"{path}.properties[{name}]", f"because it is defined in {where}.properties[{name}]")
        else:
            yield from _exists(child, known, f"{where}.properties[{name}]", f"{path}.properties[{name}]")
    yield from _completeness(nested, structure, where)

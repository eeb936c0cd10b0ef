"""Schemas as OpenAPI writes them: the definitions of built-in types, and those of custom resources.

Sources: k8s.io/kube-openapi and the documents that Kubernetes serves; k8s.io/apiextensions-apiserver
`controller/openapi` for custom resources.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from lateen.cluster.apiserver.crd.kind import CustomKind
from lateen.cluster.apiserver.resource import Resource
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.objects import Obj

_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1"
OBJECT_META: Final = f"{_META}.ObjectMeta"
LIST_META: Final = f"{_META}.ListMeta"
INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_API_VERSION: Final = (
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized"
    " schemas to the latest internal value, and may reject unrecognized values. More info:"
    " https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources"
)
_KIND: Final = (
    "Kind is a string value representing the REST resource this object represents. Servers may infer this from the"
    " endpoint the client submits requests to. Cannot be updated. In CamelCase. More info:"
    " https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"
)
_METADATA: Final = (
    "Standard object's metadata. More info:"
    " https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)
_NOT_IN_V2: Final = frozenset(
    ("nullable", "oneOf", "anyOf", "not", "default", "x-kubernetes-validations", "$schema", "example")
)


class Dialect:
    """How one version of OpenAPI spells references and what it cannot say."""

    def __init__(self, version: int) -> None:
        self.version = version
        self._prefix = "#/definitions/" if version == 2 else "#/components/schemas/"

    def reference(self, name: str, description: str = "") -> Obj:
        """A reference; in v3 a description makes it an `allOf`, since nothing may stand beside `$ref` there."""
        if self.version == 2:
            return {"$ref": self._prefix + name, **({"description": description} if description else {})}
        if description:
            return {"allOf": [{"$ref": self._prefix + name}], "description": description}
        return {"$ref": self._prefix + name}

    def referenced(self, value: Any) -> Iterator[str]:
        """The names of the definitions that a piece of a document refers to."""
        if isinstance(value, dict):
            target = value.get("$ref")
            if isinstance(target, str):
                yield target.removeprefix(self._prefix)
            for child in value.values():
                if isinstance(child, (dict, list)):
                    yield from self.referenced(child)
        elif isinstance(value, list):
            for child in value:
                if isinstance(child, (dict, list)):
                    yield from self.referenced(child)


V2: Final = Dialect(2)
V3: Final = Dialect(3)


def builtin_definition(schema: Schema, dialect: Dialect) -> Obj:
    """The definition of a built-in type."""
    if schema.int_or_string:
        if dialect.version == 2:
            return {"type": "string", "format": "int-or-string", "description": schema.description}
        return {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"}
    found: Obj = {}
    if schema.description:
        found["description"] = schema.description
    if schema.format == "quantity":
        if dialect.version == 3:
            return {**found, "oneOf": [{"type": "string"}, {"type": "number"}]}
        return {**found, "type": "string"}
    if schema.type:
        found["type"] = schema.type
    if schema.format:
        found["format"] = schema.format
    if schema.properties:
        found["properties"] = {name: _field(child, dialect) for name, child in schema.properties.items()}
    if schema.required:
        found["required"] = list(schema.required)
    if schema.map_type:
        found["x-kubernetes-map-type"] = schema.map_type
    if schema.group_version_kind is not None:
        group, version, kind = schema.group_version_kind
        found["x-kubernetes-group-version-kind"] = [
            {"group": "" if group == "meta" else group, "kind": kind, "version": version}
        ]
    return found


def _field(schema: Schema, dialect: Dialect) -> Obj:
    found = _value(schema, dialect, schema.description)
    if schema.patch_merge_key:
        found["x-kubernetes-patch-merge-key"] = schema.patch_merge_key
    if schema.patch_strategy:
        found["x-kubernetes-patch-strategy"] = ",".join(schema.patch_strategy)
    return found


def _value(schema: Schema, dialect: Dialect, description: str = "") -> Obj:
    if schema.definition:
        return dialect.reference(schema.definition, description)
    found: Obj = {"description": description} if description else {}
    if schema.type:
        found["type"] = schema.type
    if schema.format:
        found["format"] = schema.format
    if schema.items is not None:
        found["items"] = _value(schema.items, dialect)
    if schema.additional is not None:
        found["additionalProperties"] = _value(schema.additional, dialect)
    if schema.list_type:
        found["x-kubernetes-list-type"] = schema.list_type
    if schema.list_map_keys:
        found["x-kubernetes-list-map-keys"] = list(schema.list_map_keys)
    if schema.map_type:
        found["x-kubernetes-map-type"] = schema.map_type
    return found


def custom_name(resource: Resource, kind: str = "") -> str:
    """`networking.istio.io/v1 Gateway` is defined as `io.istio.networking.v1.Gateway`."""
    reversed_group = ".".join(reversed(resource.gvr.group.split(".")))
    return f"{reversed_group}.{resource.gvr.version}.{kind or resource.kind}"


def custom_definitions(kind: CustomKind, dialect: Dialect) -> dict[str, Obj]:
    """The definitions of a custom resource and of its list."""
    resource = kind.resource
    schema: Obj = _custom(kind.openapi_schema, dialect) if kind.openapi_schema else {"type": "object"}
    properties = dict(schema.get("properties") or {})
    if kind.openapi_schema and not properties and not kind.openapi_schema.get("properties"):
        # A definition that says nothing stays silent about everything but the common fields.
        schema["x-kubernetes-preserve-unknown-fields"] = True
    schema["properties"] = {
        **properties,
        "apiVersion": {"description": _API_VERSION, "type": "string"},
        "kind": {"description": _KIND, "type": "string"},
        "metadata": dialect.reference(OBJECT_META, _METADATA),
    }
    gvk = resource.gvk
    schema["x-kubernetes-group-version-kind"] = [{"group": gvk.group, "kind": gvk.kind, "version": gvk.version}]
    listed: Obj = {
        "description": f"{resource.list_kind} is a list of {resource.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"description": _API_VERSION, "type": "string"},
            "items": {
                "description": f"List of {resource.gvr.plural}.",
                "type": "array",
                "items": dialect.reference(custom_name(resource)),
            },
            "kind": {"description": _KIND, "type": "string"},
            "metadata": dialect.reference(LIST_META, "Standard list metadata."),
        },
        "x-kubernetes-group-version-kind": [{"group": gvk.group, "kind": resource.list_kind, "version": gvk.version}],
    }
    return {custom_name(resource): schema, custom_name(resource, resource.list_kind): listed}


def _custom(props: Obj, dialect: Dialect) -> Obj:
    """A CRD's schema as it is for v3; for v2, without what v2 cannot say."""
    found: Obj = {}
    loose = bool(props.get("nullable") or props.get("x-kubernetes-int-or-string"))
    for key, value in props.items():
        if dialect.version == 2 and (key in _NOT_IN_V2 or (loose and key in ("type", "properties", "items"))):
            continue
        if key == "properties":
            found[key] = {name: _custom(child, dialect) for name, child in value.items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, dict):
            found[key] = _custom(value, dialect)
        elif key in ("allOf", "anyOf", "oneOf"):
            found[key] = [_custom(child, dialect) for child in value]
        else:
            found[key] = value
    if dialect.version == 2 and props.get("x-kubernetes-preserve-unknown-fields"):
        for key in ("items", "properties", "type"):
            found.pop(key, None)
    if props.get("x-kubernetes-embedded-resource") and "properties" in found:
        found["properties"] = {
            **found["properties"],
            "apiVersion": {"description": _API_VERSION, "type": "string"},
            "kind": {"description": _KIND, "type": "string"},
            "metadata": dialect.reference(OBJECT_META, _METADATA),
        }
    return found


def closure(names: Iterable[str], definitions: dict[str, Obj], dialect: Dialect) -> dict[str, Obj]:
    """The named definitions and all that they refer to, by name."""
    found: dict[str, Obj] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found or name not in definitions:
            continue
        found[name] = definitions[name]
        waiting.extend(dialect.referenced(definitions[name]))
    return dict(sorted(found.items()))

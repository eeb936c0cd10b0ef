"""The schemas of the kinds that Kubernetes brings along, by group, version and kind or by OpenAPI definition name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from lateen.cluster.apiserver.schema import model_facts as facts
from lateen.cluster.apiserver.schema.model_source import ModelField, Models, read_models
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.objects import GVK

_META = facts.definition_prefix("meta_v1")
_EXTENSIONS = facts.definition_prefix("apiextensions_v1")
_SCALARS = {
    "str": ("string", ""),
    "bool": ("boolean", ""),
    "float": ("number", "double"),
}


class BuiltinSchemas:
    """All definitions, built once. What the accessors return is shared: treat it as frozen."""

    def __init__(self, models: Models) -> None:
        self._definitions = _leaf_definitions()
        self._by_gvk: dict[GVK, Schema] = {}
        for module, types in models.items():
            for name in types:
                self._definitions[f"{facts.definition_prefix(module)}.{name}"] = Schema(type="object")
        for module, types in models.items():
            for name, model in types.items():
                definition_name = f"{facts.definition_prefix(module)}.{name}"
                schema = self._definitions[definition_name]
                schema.definition = definition_name
                schema.description = model.description
                schema.required = tuple(field.name for field in model.fields if field.required)
                schema.map_type = "atomic" if f"{module}.{name}" in facts.ATOMIC_TYPES else ""
                if _is_kind(model.fields):
                    schema.group_version_kind = (*facts.GROUPS[module], name)
                    if module != "meta_v1":
                        self._by_gvk[GVK(*schema.group_version_kind)] = schema
        for module, types in models.items():
            for name, model in types.items():
                properties = self._definitions[f"{facts.definition_prefix(module)}.{name}"].properties
                for field in model.fields:
                    properties[field.name] = self._field(module, name, field)

    @classmethod
    def load(cls, cache: Path | None = None) -> BuiltinSchemas:
        """Reads the installed models. `cache` names a file that makes the next start faster."""
        return cls(read_models(tuple(facts.GROUPS), cache))

    def for_gvk(self, gvk: GVK) -> Schema:
        """The schema of a kind's objects. Raises KeyError for a kind that Kubernetes does not define."""
        return self._by_gvk[gvk]

    def definition(self, name: str) -> Schema:
        """The schema of an OpenAPI definition such as `io.k8s.api.core.v1.PodSpec`. Raises KeyError."""
        return self._definitions[name]

    def definitions(self) -> Iterator[tuple[str, Schema]]:
        return iter(self._definitions.items())

    def kinds(self) -> Mapping[GVK, Schema]:
        return self._by_gvk

    def _field(self, module: str, type_name: str, field: ModelField) -> Schema:
        key = f"{type_name}.{field.name}"
        schema = self._of_annotation(module, key, field.annotation)
        schema.description = field.description
        if schema.type == "array":
            listed = facts.LISTS.get(key) or facts.ListFacts("atomic")
            schema.list_type = listed.list_type
            schema.list_map_keys = listed.keys
            schema.patch_strategy = listed.patch_strategy
            schema.patch_merge_key = listed.patch_merge_key
        elif key in facts.ATOMIC_FIELDS:
            schema.map_type = "atomic"
        elif key in facts.GRANULAR_FIELDS:
            schema.map_type = "granular"
        if key in facts.MERGE_KEY_DEFAULTS:
            schema.default = facts.MERGE_KEY_DEFAULTS[key]
        if strategy := facts.OBJECT_PATCH_STRATEGIES.get(key):
            schema.patch_strategy = strategy
        return schema

    def _of_annotation(self, module: str, key: str, annotation: str) -> Schema:
        if annotation.startswith("List["):
            return Schema(type="array", items=self._of_annotation(module, key, annotation[5:-1]))
        if annotation == "dict":
            return Schema(type="object", additional=self._map_value(key))
        if annotation == "int":
            return Schema(type="integer", format="int64" if _names(facts.INT64, key) else "int32")
        if annotation == "str" and _names(facts.BYTES, key):
            return Schema(type="string", format="byte")
        if annotation in _SCALARS:
            kind, shape = _SCALARS[annotation]
            return Schema(type=kind, format=shape)
        owner, _, name = annotation.rpartition(".")
        # A copy, for the field's own description; it shares the properties, which may not be filled in yet.
        return dataclasses.replace(self._definitions[_definition_name(owner or module, name)])

    def _map_value(self, key: str) -> Schema:
        if key in facts.QUANTITY_MAPS:
            return dataclasses.replace(self._definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"])
        if key in facts.BYTE_MAPS:
            return Schema(type="string", format="byte")
        if _names(facts.STRING_LIST_MAPS, key):
            return Schema(type="array", items=Schema(type="string"), list_type="atomic")
        if key in facts.TIME_MAPS:
            return dataclasses.replace(self._definitions[f"{_META}.Time"])
        if key in facts.SCHEMA_MAPS:
            return dataclasses.replace(self._definitions[f"{_EXTENSIONS}.JSONSchemaProps"])
        if key in facts.ANY_MAPS:
            return Schema(preserve_unknown=True)
        return Schema(type="string")


def _definition_name(module: str, name: str) -> str:
    match module:
        case "resource":
            return f"io.k8s.apimachinery.pkg.api.resource.{name}"
        case "util_intstr":
            return f"io.k8s.apimachinery.pkg.util.intstr.{name}"
        case "runtime":
            return f"io.k8s.apimachinery.pkg.runtime.{name}"
    return f"{facts.definition_prefix(module)}.{name}"


def _leaf_definitions() -> dict[str, Schema]:
    """The types that marshal themselves. Being structs in Go, absent ones may be written as null."""
    nested = Schema(preserve_unknown=True)
    leaves = {
        f"{_META}.Time": Schema(type="string", format="date-time", nullable=True),
        f"{_META}.MicroTime": Schema(type="string", format="date-time", nullable=True),
        f"{_META}.FieldsV1": Schema(type="object", preserve_unknown=True, map_type="atomic"),
        f"{_META}.Patch": Schema(type="object", preserve_unknown=True),
        "io.k8s.apimachinery.pkg.api.resource.Quantity": Schema(type="string", format="quantity"),
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString": Schema(int_or_string=True),
        "io.k8s.apimachinery.pkg.runtime.RawExtension": Schema(type="object", preserve_unknown=True),
        f"{_EXTENSIONS}.JSON": dataclasses.replace(nested),
        f"{_EXTENSIONS}.JSONSchemaPropsOrArray": dataclasses.replace(nested),
        f"{_EXTENSIONS}.JSONSchemaPropsOrBool": dataclasses.replace(nested),
        f"{_EXTENSIONS}.JSONSchemaPropsOrStringArray": dataclasses.replace(nested),
        f"{_EXTENSIONS}.CustomResourceSubresourceStatus": Schema(type="object"),
    }
    for name, schema in leaves.items():
        schema.definition = name
    return leaves


def _names(table: frozenset[str], key: str) -> bool:
    """Whether a table has the field, either with its type or (`.field`) in every type."""
    return key in table or f".{key.partition('.')[2]}" in table


def _is_kind(fields: list[ModelField]) -> bool:
    return {"apiVersion", "kind", "metadata"} <= {field.name for field in fields}

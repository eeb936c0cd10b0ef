"""The set of fields an object specifies, and whether it fits its schema's structure."""

from __future__ import annotations

from typing import Any

from lateen.cluster.apiserver.patch.field_set import FieldSet, FieldSetBuilder, Path, field_element, render_path
from lateen.cluster.apiserver.patch.structure import (
    MissingKey,
    field_schema,
    is_declared,
    is_granular,
    item_element,
    item_elements,
)
from lateen.cluster.apiserver.schema.schema import Schema


def fields_of(value: Any, schema: Schema | None) -> FieldSet:
    """Leaves, atomic values, map keys and list items. Fields that only contain others are not in the set."""
    builder = FieldSetBuilder()
    _collect(value, schema, (), builder)
    return builder.build()


def _collect(value: Any, schema: Schema | None, path: Path, into: FieldSetBuilder) -> None:
    if not is_granular(value, schema):
        into.insert(path)
    elif isinstance(value, dict):
        for name, member in value.items():
            below = (*path, field_element(name))
            _collect(member, field_schema(schema, name), below, into)
            if member in (None, {}) or not is_declared(schema, name):
                into.insert(below)
    elif schema is not None:
        for element, item in zip(item_elements(value, schema), value, strict=True):
            below = (*path, element)
            _collect(item, schema.items, below, into)
            into.insert(below)


def structural_faults(value: Any, schema: Schema | None, path: Path = ()) -> list[str]:
    """What keeps an applied object from being merged: undeclared fields, unnamed or duplicate list items."""
    if schema is None or value is None:
        return []
    expected = {"object": dict, "array": list}.get(schema.type)
    if expected is not None and not isinstance(value, expected):
        found = "map" if isinstance(value, dict) else "list" if isinstance(value, list) else type(value).__name__
        wanted = "map" if expected is dict else "list"
        return [f"{render_path(path) or '.'}: expected {wanted}, got {found}"]
    faults: list[str] = []
    if isinstance(value, dict):
        # A node that names no fields at all takes any; one that does takes only those.
        closed = bool(schema.properties) and schema.additional is None and not schema.preserve_unknown
        for name, member in value.items():
            below = (*path, field_element(name))
            if closed and name not in schema.properties and not (schema.embedded_resource and name in _EMBEDDED):
                faults.append(f"{render_path(below)}: field not declared in schema")
            else:
                faults += structural_faults(member, field_schema(schema, name), below)
    elif isinstance(value, list):
        faults += _list_faults(value, schema, path)
    return faults


_EMBEDDED = frozenset({"apiVersion", "kind", "metadata"})


def _list_faults(items: list[Any], schema: Schema, path: Path) -> list[str]:
    faults: list[str] = []
    seen = set()
    for index, item in enumerate(items):
        element = f"i:{index}"
        if schema.list_type in ("map", "set"):
            try:
                element = item_element(item, schema)
            except MissingKey as error:
                faults.append(f"{render_path(path)}: element {index}: {error}")
                continue
            if element in seen:
                faults.append(f"{render_path(path)}: duplicate entries for key {render_path((element,))}")
            seen.add(element)
        faults += structural_faults(item, schema.items, (*path, element))
    return faults

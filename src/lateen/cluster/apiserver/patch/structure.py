"""How a value falls into parts, by its schema: which maps and lists are granular, and how list items are named.

Values without a schema are read as server-side apply reads them: maps granular, lists atomic.
Source: `x-kubernetes-list-type`, `-list-map-keys`, `-map-type`; `sigs.k8s.io/structured-merge-diff`.
"""

from __future__ import annotations

from typing import Any

from lateen.cluster.apiserver.patch.field_set import key_element, value_element
from lateen.cluster.apiserver.schema.schema import MISSING, Schema
from lateen.cluster.objects import Obj


class MissingKey(ValueError):
    """A list item without the keys that name it; the message is the server's."""


def is_granular(value: Any, schema: Schema | None) -> bool:
    """Whether parts of this map or list can have different owners."""
    if isinstance(value, dict):
        return schema is None or schema.map_type != "atomic"
    if isinstance(value, list):
        return schema is not None and schema.list_type in ("map", "set")
    return False


def is_declared(schema: Schema | None, name: str) -> bool:
    """Whether the schema names this field, as opposed to a map's key or an unknown field."""
    return schema is not None and name in schema.properties


def field_schema(schema: Schema | None, name: str) -> Schema | None:
    if schema is None:
        return None
    return schema.properties.get(name) or schema.additional


def item_element(item: Any, schema: Schema) -> str:
    """How an associative list's item is named. Raises MissingKey."""
    if schema.list_type == "set":
        return value_element(item)
    if not isinstance(item, dict):
        raise MissingKey("associative list with keys may not have non-map elements")
    keys = _keys(item, schema)
    missing = [k for k in schema.list_map_keys if k not in keys]
    if missing and (not keys or len(schema.list_map_keys) == 1):
        raise MissingKey(
            f'associative list with keys has an element that omits key field "{missing[0]}" '
            "(and doesn't have default value)"
        )
    return key_element(keys)


def item_elements(items: list[Any], schema: Schema) -> list[str]:
    """The names of all items; an item of a stored object that has no name gets its index."""
    elements = []
    for index, item in enumerate(items):
        try:
            elements.append(item_element(item, schema))
        except MissingKey:
            elements.append(f"i:{index}")
    return elements


def _keys(item: Obj, schema: Schema) -> Obj:
    keys: Obj = {}
    for key in schema.list_map_keys:
        value = item.get(key)
        if value is None and schema.items is not None:
            declared = schema.items.properties.get(key)
            if declared is not None and declared.default is not MISSING:
                value = declared.default
        if value is not None:
            keys[key] = value
    return keys

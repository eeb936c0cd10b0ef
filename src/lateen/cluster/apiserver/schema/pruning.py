"""Fields that a schema does not specify: finding them, and dropping them.

Source: k8s.io/apiextensions-apiserver `pruning`. A map's keys are never unknown; below `preserve_unknown` the fields
that the schema does specify are looked into all the same.
"""

from __future__ import annotations

from typing import Any

from lateen.cluster.apiserver.schema.schema import Schema


def unknown_fields(obj: Any, schema: Schema) -> list[str]:
    """The paths of unspecified fields, as kubectl prints them: `spec.containers[0].foo`. Changes nothing."""
    found: list[str] = []
    _walk(obj, schema, "", found, remove=False)
    return found


def prune(obj: Any, schema: Schema) -> list[str]:
    """Drops unspecified fields in place; returns what `unknown_fields` would have."""
    found: list[str] = []
    _walk(obj, schema, "", found, remove=True)
    return found


def _walk(value: Any, schema: Schema, path: str, found: list[str], *, remove: bool) -> None:
    if isinstance(value, dict):
        properties, additional = schema.properties, schema.additional
        unknown: list[str] = []
        for key, child in value.items():
            if (known := properties.get(key)) is not None:
                if isinstance(child, (dict, list)):
                    _walk(child, known, f"{path}.{key}" if path else key, found, remove=remove)
            elif additional is not None:
                if isinstance(child, (dict, list)):
                    _walk(child, additional, f"{path}.{key}" if path else key, found, remove=remove)
            elif not schema.preserve_unknown:
                found.append(f"{path}.{key}" if path else key)
                unknown.append(key)
        if remove:
            for key in unknown:
                del value[key]
    elif isinstance(value, list) and schema.items is not None:
        items = schema.items
        for index, child in enumerate(value):
            if isinstance(child, (dict, list)):
                _walk(child, items, f"{path}[{index}]", found, remove=remove)

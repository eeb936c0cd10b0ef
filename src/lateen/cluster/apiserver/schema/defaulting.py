"""Filling in the defaults that a schema declares.

Source: k8s.io/apiextensions-apiserver `defaulting`: an absent field gets its default; a null where null is not
allowed counts as absent if there is a default; defaults are applied outside in, so that a default may itself be
completed by defaults further in.
"""

from __future__ import annotations

from typing import Any

from lateen.cluster.apiserver.schema.schema import MISSING, Schema
from lateen.cluster.objects import deep_copy


def apply_defaults(obj: Any, schema: Schema) -> None:
    """Completes `obj` in place. Idempotent."""
    if isinstance(obj, dict):
        for key, child in schema.properties.items():
            if child.default is not MISSING and (
                key not in obj or (obj[key] is None and not child.nullable and child.default is not None)
            ):
                obj[key] = deep_copy(child.default)
        for key, value in obj.items():
            known = schema.properties.get(key, schema.additional)
            if known is None:
                continue
            if value is None and key not in schema.properties and not known.nullable and known.default is not MISSING:
                obj[key] = value = deep_copy(known.default)
            if isinstance(value, (dict, list)):
                apply_defaults(value, known)
    elif isinstance(obj, list) and schema.items is not None:
        items = schema.items
        for index, value in enumerate(obj):
            if value is None and not items.nullable and items.default is not MISSING:
                obj[index] = value = deep_copy(items.default)
            if isinstance(value, (dict, list)):
                apply_defaults(value, items)

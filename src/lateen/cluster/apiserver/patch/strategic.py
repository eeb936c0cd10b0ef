"""Strategic merge patch: a merge patch that merges lists by their key, with directives.

Source: `k8s.io/apimachinery/pkg/util/strategicpatch`. Which lists merge, and by what, is in the schema
(`patch_strategy`, `patch_merge_key`). Directives: `$patch`, `$retainKeys`, `$setElementOrder/<list>`,
`$deleteFromPrimitiveList/<list>`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lateen.cluster.apiserver.patch.json_patch import json_equal
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.objects import Obj, deep_copy
from lateen.cluster.status import bad_request

_PATCH = "$patch"
_RETAIN_KEYS = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_FROM = "$deleteFromPrimitiveList/"


def apply(doc: Obj, patch: Any, schema: Schema) -> Obj:
    """A new object; `doc` is left as it is. 400 for a patch that is malformed."""
    if not isinstance(patch, dict):
        raise bad_request("a strategic merge patch must be a JSON object")
    return _merge_map(deep_copy(doc), deep_copy(patch), schema)


def _merge_map(original: Obj, patch: Obj, schema: Schema | None) -> Obj:
    """Merges into `original`, consuming `patch`."""
    directive = patch.pop(_PATCH, None)
    if directive == "replace":
        return _plain_map(patch)
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"unknown patch type found: {directive}")
    _retain_keys(original, patch)
    orders = {k.removeprefix(_ORDER): patch.pop(k) for k in list(patch) if k.startswith(_ORDER)}
    before = {name: list(original[name]) for name in orders if isinstance(original.get(name), list)}
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            _delete_from(original, key.removeprefix(_DELETE_FROM), value)
        elif value is None:
            original.pop(key, None)
        else:
            original[key] = _merge_value(original.get(key), value, _child(schema, key))
    for name, order in orders.items():
        _apply_order(original, name, order, before.get(name, []), _child(schema, name))
    return original


def _merge_value(original: Any, patch: Any, schema: Schema | None) -> Any:
    strategy = schema.patch_strategy if schema else ()
    if isinstance(patch, dict):
        if isinstance(original, dict) and "replace" not in strategy:
            return _merge_map(original, patch, schema)
        return {} if patch.get(_PATCH) == "delete" else _without_directives(patch)
    if isinstance(patch, list):
        if isinstance(original, list) and "merge" in strategy and schema is not None:
            return _merge_list(original, patch, schema)
        return _without_directives(patch)
    return patch


def _merge_list(original: list[Any], patch: list[Any], schema: Schema) -> list[Any]:
    key = schema.patch_merge_key
    if not any(isinstance(item, dict) for item in (*original, *patch)):
        merged = list(original)
        for item in patch:
            if not _contains(merged, item, ""):
                merged.append(item)
        return _normalized(merged, patch, original, "")
    _check_items([*original, *patch], key)
    replace = False
    changes: list[Obj] = []
    for item in patch:
        directive = item.get(_PATCH)
        if directive is None:
            changes.append(item)
        elif directive == "delete":
            value = _merge_value_of(item, key)
            original = [o for o in original if not json_equal(o.get(key), value)]
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise bad_request("merging lists cannot yet be specified in the patch")
        else:
            raise bad_request(f"unknown patch type found: {directive}")
    if replace:
        return [_plain_map(change) for change in changes]
    merged = list(original)
    for change in changes:
        position = _index(merged, change, key)
        if position < 0:
            merged.append(_without_directives(change))
        else:
            merged[position] = _merge_map(dict(merged[position]), dict(change), schema.items)
    return _normalized(merged, changes, original, key)


def _check_items(items: Sequence[Any], key: str) -> None:
    if not key:
        raise bad_request("cannot merge a list of objects without a merge key")
    for item in items:
        if not isinstance(item, dict):
            raise bad_request("cannot merge a list of objects with a list of scalars")
        # A bare `$patch: replace` marks the list, not an element.
        if item.get(_PATCH) != "replace":
            _merge_value_of(item, key)


def _merge_value_of(item: Obj, key: str) -> Any:
    if key not in item:
        raise bad_request(f"map: {item} does not contain declared merge key: {key}")
    return item[key]


# --- order -------------------------------------------------------------------------------------------------------


def _identity(item: Any, key: str) -> Any:
    return item.get(key) if key and isinstance(item, dict) else item


def _index(items: Sequence[Any], item: Any, key: str) -> int:
    wanted = _identity(item, key)
    return next((i for i, other in enumerate(items) if json_equal(_identity(other, key), wanted)), -1)


def _contains(items: Sequence[Any], item: Any, key: str) -> bool:
    return _index(items, item, key) >= 0


def _normalized(merged: list[Any], order: Sequence[Any], before: Sequence[Any], key: str) -> list[Any]:
    """Items the patch names come in the patch's order; the others keep their place from before."""
    named = sorted((m for m in merged if _contains(order, m, key)), key=lambda m: _index(order, m, key))
    others = [m for m in merged if not _contains(order, m, key)]
    result: list[Any] = []
    while named and others:
        other_at, named_at = _index(before, others[0], key), _index(before, named[0], key)
        result.append(others.pop(0) if 0 <= other_at < named_at else named.pop(0))
    return result + named + others


def _apply_order(original: Obj, name: str, order: Any, before: list[Any], schema: Schema | None) -> None:
    if not isinstance(order, list):
        raise bad_request(f"invalid value for {_ORDER}{name}: expected a list")
    current = original.get(name)
    if isinstance(current, list):
        key = schema.patch_merge_key if schema else ""
        original[name] = _normalized(current, order, before, key)


# --- the other directives ----------------------------------------------------------------------------------------


def _retain_keys(original: Obj, patch: Obj) -> None:
    if _RETAIN_KEYS not in patch:
        return
    kept = patch.pop(_RETAIN_KEYS)
    if not isinstance(kept, list):
        raise bad_request("invalid patch format of retainKeys: expected a list")
    for key, value in patch.items():
        if value is not None and not key.startswith("$") and key not in kept:
            raise bad_request(f"invalid patch format of retainKeys: {key!r} is set but not retained")
    for key in [k for k in original if k not in kept]:
        del original[key]


def _delete_from(original: Obj, name: str, values: Any) -> None:
    if not isinstance(values, list):
        raise bad_request(f"invalid value for {_DELETE_FROM}{name}: expected a list")
    current = original.get(name)
    if isinstance(current, list):
        original[name] = [item for item in current if not _contains(values, item, "")]


def _plain_map(patch: Obj) -> Obj:
    """What a patch sets where there is nothing to merge with: no directives, and no nulls to delete with."""
    return {k: _without_directives(v) for k, v in patch.items() if v is not None and not _is_directive(k)}


def _without_directives(value: Any) -> Any:
    if isinstance(value, dict):
        return _plain_map(value)
    if isinstance(value, list):
        return [_without_directives(v) for v in value if not (isinstance(v, dict) and _PATCH in v)]
    return value


def _is_directive(key: str) -> bool:
    return key in (_PATCH, _RETAIN_KEYS) or key.startswith((_ORDER, _DELETE_FROM))


def _child(schema: Schema | None, key: str) -> Schema | None:
    if schema is None:
        return None
    return schema.properties.get(key) or schema.additional

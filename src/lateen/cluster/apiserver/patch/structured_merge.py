"""Merging an applied configuration into an object, and removing fields from one, by schema structure."""

from __future__ import annotations

from typing import Any

from lateen.cluster.apiserver.patch.field_set import FieldSet, field_element
from lateen.cluster.apiserver.patch.structure import field_schema, is_declared, is_granular, item_elements
from lateen.cluster.apiserver.schema.schema import MISSING, Schema
from lateen.cluster.objects import deep_copy


def merge(live: Any, config: Any, schema: Schema | None) -> Any:
    """`live` with everything `config` says. A null in the configuration removes the field, unless it may be null."""
    if config is None:
        return None if schema is not None and schema.nullable else MISSING
    if isinstance(config, dict) and is_granular(config, schema):
        base = live if isinstance(live, dict) else {}
        merged = {k: deep_copy(v) for k, v in base.items() if k not in config}
        # Keys keep the live object's order, new ones follow.
        result: dict[str, Any] = {}
        for name in {**base, **config}:
            value = merged[name] if name in merged else merge(base.get(name), config[name], field_schema(schema, name))
            if value is not MISSING:
                result[name] = value
        return result
    if isinstance(config, list) and is_granular(config, schema) and schema is not None:
        return _merge_lists(live if isinstance(live, list) else [], config, schema)
    return deep_copy(config)


def _merge_lists(live: list[Any], config: list[Any], schema: Schema) -> list[Any]:
    """Items of the configuration come in its order; others stay before the item they preceded."""
    live_names, config_names = item_elements(live, schema), item_elements(config, schema)
    live_by_name: dict[str, Any] = {}
    for name, item in zip(live_names, live, strict=True):
        live_by_name.setdefault(name, item)
    configured = set(config_names)
    shared = [n for n in config_names if n in live_by_name]
    merged: list[Any] = []
    emitted: set[str] = set()
    at_live = at_config = at_shared = 0

    def take_configured() -> None:
        nonlocal at_config, at_shared
        name, item = config_names[at_config], config[at_config]
        value = merge(live_by_name.get(name), item, schema.items)
        if value is not MISSING:
            merged.append(value)
        emitted.add(name)
        at_config += 1
        if at_shared < len(shared) and shared[at_shared] == name:
            at_shared += 1

    while at_live < len(live) or at_config < len(config):
        if at_live < len(live):
            name = live_names[at_live]
            if name not in configured:
                merged.append(deep_copy(live[at_live]))
                at_live += 1
                continue
            if name in emitted or (at_shared < len(shared) and shared[at_shared] != name):
                # Its place is where the configuration puts it.
                at_live += 1
                continue
            if at_config < len(config) and config_names[at_config] == name:
                at_live += 1
        if at_config < len(config):
            take_configured()
    return merged


def remove(value: Any, fields: FieldSet, schema: Schema | None) -> Any:
    """`value` without the fields. A map or list that loses its last member goes too (MISSING)."""
    if not fields or not is_granular(value, schema):
        return deep_copy(value)
    if isinstance(value, dict):
        kept: dict[str, Any] = {}
        for name, member in value.items():
            element = field_element(name)
            if element in fields.members:
                continue
            rest = remove(member, fields.below(element), field_schema(schema, name))
            if rest is not MISSING:
                kept[name] = rest
        return kept if kept or not value else MISSING
    if schema is None:
        return deep_copy(value)
    items = []
    for element, item in zip(item_elements(value, schema), value, strict=True):
        if element in fields.members:
            continue
        rest = remove(item, fields.below(element), schema.items)
        if rest is not MISSING:
            items.append(rest)
    return items if items or not value else MISSING


def with_containers(fields: FieldSet, schema: Schema | None) -> FieldSet:
    """The set, with the declared fields that contain its paths made members too."""
    members = set(fields.members)
    children = {}
    for element, child in fields.children.items():
        name = element[2:]
        if element.startswith("f:"):
            if is_declared(schema, name):
                members.add(element)
            children[element] = with_containers(child, field_schema(schema, name))
        else:
            children[element] = with_containers(child, schema.items if schema else None)
    return FieldSet(members, children)

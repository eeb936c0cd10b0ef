"""Which fields differ between two versions of an object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from lateen.cluster.apiserver.patch.field_set import FieldSet, FieldSetBuilder, Path, field_element
from lateen.cluster.apiserver.patch.json_patch import json_equal
from lateen.cluster.apiserver.patch.structure import field_schema, is_granular, item_elements
from lateen.cluster.apiserver.schema.schema import MISSING, Schema

_ALWAYS_THERE = frozenset({"metadata", "spec", "status", "strategy", "template", "updateStrategy"})
"""Members that are plain structs in Kubernetes' Go types: never 'added', since they cannot be absent."""


@dataclass(frozen=True, slots=True)
class Comparison:
    added: FieldSet
    modified: FieldSet
    removed: FieldSet

    @property
    def changed(self) -> FieldSet:
        """What a writer of the new version comes to own."""
        return self.modified.union(self.added)


class _Walk:
    def __init__(self) -> None:
        self.added = FieldSetBuilder()
        self.modified = FieldSetBuilder()
        self.removed = FieldSetBuilder()

    def compare(self, old: Any, new: Any, schema: Schema | None, path: Path, implicit: bool) -> None:
        """`implicit`: the field's coming and going is not a change in itself."""
        if _is_leaf(old, new, schema):
            if old is MISSING:
                self.added.insert(path)
            elif new is MISSING:
                self.removed.insert(path)
            elif not json_equal(old, new):
                self.modified.insert(path)
            return
        if old is MISSING and not implicit:
            self.added.insert(path)
        elif new is MISSING and not implicit:
            self.removed.insert(path)
        if isinstance(new if old is MISSING else old, dict):
            self._maps({} if old is MISSING else old, {} if new is MISSING else new, schema, path)
        elif schema is not None:
            self._lists([] if old is MISSING else old, [] if new is MISSING else new, schema, path)

    def _maps(self, old: dict[str, Any], new: dict[str, Any], schema: Schema | None, path: Path) -> None:
        for name in {**old, **new}:
            before, after = old.get(name, MISSING), new.get(name, MISSING)
            # Most writes leave most of an object alone.
            if before is not MISSING and after is not MISSING and _same(before, after):
                continue
            below = (*path, field_element(name))
            self.compare(before, after, field_schema(schema, name), below, _implicit(schema, name))

    def _lists(self, old: list[Any], new: list[Any], schema: Schema, path: Path) -> None:
        olds, news = _by_element(old, schema), _by_element(new, schema)
        for element in {**olds, **news}:
            before, after = olds.get(element, []), news.get(element, [])
            below = (*path, element)
            if len(before) <= 1 and len(after) <= 1:
                first = before[0] if before else MISSING
                second = after[0] if after else MISSING
                if isinstance(second if first is MISSING else first, dict):
                    self.compare(first, second, schema.items, below, False)
                elif first is MISSING:
                    self.added.insert(below)
                elif second is MISSING:
                    self.removed.insert(below)
            elif not before:
                self.added.insert(below)
            elif not after:
                self.removed.insert(below)
            elif not json_equal(before, after):
                # Duplicates cannot be told apart: they are owned as one.
                self.modified.insert(below)


def compare(old: Any, new: Any, schema: Schema | None) -> Comparison:
    walk = _Walk()
    walk.compare(old, new, schema, (), True)
    return Comparison(walk.added.build(), walk.modified.build(), walk.removed.build())


def _by_element(items: list[Any], schema: Schema) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = {}
    for element, item in zip(item_elements(items, schema), items, strict=True):
        grouped.setdefault(element, []).append(item)
    return grouped


def _same(old: Any, new: Any) -> bool:
    """Quickly true for equal values; may be false for some of them. Encoded, `true` and 1 differ as they should."""
    if type(old) is str:
        return bool(old == new)
    return bool(old == new) and msgspec.json.encode(old) == msgspec.json.encode(new)


def _is_leaf(old: Any, new: Any, schema: Schema | None) -> bool:
    one = new if old is MISSING else old
    if not is_granular(one, schema):
        return True
    if old is MISSING or new is MISSING:
        return not one
    return type(old) is not type(new) or not (old or new)


def _implicit(schema: Schema | None, name: str) -> bool:
    if schema is None:
        return False
    return name in schema.required or (name in _ALWAYS_THERE and schema.definition.startswith("io.k8s."))

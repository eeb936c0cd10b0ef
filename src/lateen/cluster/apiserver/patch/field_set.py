"""Sets of field paths, as `metadata.managedFields[].fieldsV1` writes them.

A path is a sequence of elements; an element is written as FieldsV1 does: `f:<name>` a field or map key,
`k:<json>` a list item by its keys, `v:<json>` a set item by its value, `i:<n>` a list item by its index.
Source: `sigs.k8s.io/structured-merge-diff/v4/fieldpath`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from lateen.cluster.objects import Obj

Path = tuple[str, ...]

MAX_DEPTH = 200
"""Bound on the nesting of a decoded set."""


class FieldSet:
    """A set of paths as a tree. Treat as frozen once built: all operations return new sets.

    `members` are elements that are themselves in the set; `children` hold the paths that go on below an element.
    There are no empty children.
    """

    __slots__ = ("children", "members")

    def __init__(self, members: Iterable[str] = (), children: Mapping[str, FieldSet] | None = None) -> None:
        self.members = frozenset(members)
        self.children = {k: c for k, c in (children or {}).items() if c}

    @classmethod
    def of(cls, *paths: Sequence[str]) -> FieldSet:
        builder = FieldSetBuilder()
        for path in paths:
            builder.insert(tuple(path))
        return builder.build()

    def __bool__(self) -> bool:
        return bool(self.members or self.children)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldSet) and self.members == other.members and self.children == other.children

    def __hash__(self) -> int:
        return hash((self.members, frozenset(self.children)))

    def __repr__(self) -> str:
        return f"FieldSet({', '.join(render_path(p) for p in self)})"

    def __iter__(self) -> Iterator[Path]:
        """All paths, in order."""
        for element in self.elements():
            if element in self.members:
                yield (element,)
            child = self.children.get(element)
            if child is not None:
                for path in child:
                    yield (element, *path)

    def __contains__(self, path: Sequence[str]) -> bool:
        node: FieldSet | None = self
        for element in path[:-1]:
            node = node.children.get(element) if node else None
        return node is not None and bool(path) and path[-1] in node.members

    def elements(self) -> list[str]:
        """The elements at this level, fields first."""
        found = sorted(self.members | self.children.keys())
        # By kind they sort as Kubernetes wants them (f, k, v), except that indices come last.
        indices = [e for e in found if e[0] == "i"]
        return [e for e in found if e[0] != "i"] + indices if indices else found

    def below(self, element: str) -> FieldSet:
        return self.children.get(element, EMPTY)

    def union(self, other: FieldSet) -> FieldSet:
        if not other:
            return self
        if not self:
            return other
        children = dict(self.children)
        for element, child in other.children.items():
            children[element] = children[element].union(child) if element in children else child
        return FieldSet(self.members | other.members, children)

    def intersection(self, other: FieldSet) -> FieldSet:
        children = {e: c.intersection(other.children[e]) for e, c in self.children.items() if e in other.children}
        return FieldSet(self.members & other.members, children)

    def difference(self, other: FieldSet) -> FieldSet:
        """The paths that are not in `other`."""
        # Most sets have little in common: what the other says nothing of is not walked.
        changed = {e: self.children[e].difference(c) for e, c in other.children.items() if e in self.children}
        changed = {e: c for e, c in changed.items() if c is not self.children[e]}
        members = self.members - other.members
        if not changed and len(members) == len(self.members):
            return self
        return FieldSet(members, {**self.children, **changed})

    def recursive_difference(self, other: FieldSet) -> FieldSet:
        """The paths that are neither in `other` nor below a path of it."""
        if not other:
            return self
        children = {
            e: c.recursive_difference(other.below(e)) for e, c in self.children.items() if e not in other.members
        }
        return FieldSet(self.members - other.members, children)

    def encode(self) -> Obj:
        """FieldsV1."""
        encoded: Obj = {}
        for element in self.elements():
            child = self.children.get(element)
            if child is None:
                encoded[element] = {}
            else:
                own: Obj = {".": {}} if element in self.members else {}
                encoded[element] = own | child.encode()
        return encoded

    @classmethod
    def decode(cls, fields: Any, depth: int = 0) -> FieldSet:
        """Reads FieldsV1. Raises ValueError on anything else."""
        if not isinstance(fields, dict) or depth > MAX_DEPTH:
            raise ValueError("fieldsV1 must be nested JSON objects")
        members, children = set(), {}
        for raw, value in fields.items():
            if raw == ".":
                continue
            element = raw if raw[:2] == "f:" else _canonical(raw)
            if value == {}:
                members.add(element)
                continue
            child = cls.decode(value, depth + 1)
            if child:
                children[element] = child
            if not child or "." in value:
                members.add(element)
        return cls(members, children)


EMPTY = FieldSet()


class FieldSetBuilder:
    """Collects paths into a `FieldSet`."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}

    def insert(self, path: Path) -> None:
        node = self._root
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}

    def build(self) -> FieldSet:
        return self._freeze(self._root)

    def _freeze(self, node: dict[str, Any]) -> FieldSet:
        members, children = [], {}
        for element, below in node.items():
            if element == ".":
                continue
            is_member = "." in below
            if is_member:
                members.append(element)
            if len(below) > is_member:
                children[element] = self._freeze(below)
        return FieldSet(members, children)


# --- elements ----------------------------------------------------------------------------------------------------


def field_element(name: str) -> str:
    return f"f:{name}"


def key_element(keys: Mapping[str, Any]) -> str:
    return "k:" + _compact(keys)


def value_element(value: Any) -> str:
    return "v:" + _compact(value)


def _compact(value: Any) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _canonical(element: str) -> str:
    """The element as this module writes it. Raises ValueError where it is none."""
    kind, text = element[:2], element[2:]
    if kind == "f:":
        return element
    if kind == "k:":
        keys = msgspec.json.decode(text)
        if not isinstance(keys, dict) or not keys:
            raise ValueError(f"{element!r} has no keys")
        return key_element(keys)
    if kind == "v:":
        return value_element(msgspec.json.decode(text))
    if kind == "i:":
        return f"i:{int(text)}"
    raise ValueError(f"{element!r} is not a path element")


def render_path(path: Sequence[str]) -> str:
    """As people read it: `.spec.containers[name="a"].image`."""
    return "".join(_render(element) for element in path)


def _render(element: str) -> str:
    kind, text = element[:2], element[2:]
    if kind == "f:":
        return f".{text}"
    if kind == "k:":
        return "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(text).items()) + "]"
    return f"[={text}]" if kind == "v:" else f"[{text}]"

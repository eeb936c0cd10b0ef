"""Objects by key, and by whatever an index derives from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from lateen.cluster.objects import Key, Obj, controller_of, key_of, namespace_of, owner_references, uid_of

IndexFunction: TypeAlias = Callable[[Obj], Iterable[str]]
"""The values under which an object is found in one index."""


def by_namespace(obj: Obj) -> Iterable[str]:
    return (namespace_of(obj),)


def by_node(pod: Obj) -> Iterable[str]:
    """The node a pod is on; the empty string for a pod that has none yet."""
    return (str((pod.get("spec") or {}).get("nodeName") or ""),)


def by_controller_uid(obj: Obj) -> Iterable[str]:
    """The UID of the controller, or the empty string for an object that has none (an orphan to adopt)."""
    reference = controller_of(obj)
    return (str(reference.get("uid") or "") if reference else "",)


def by_owner_uid(obj: Obj) -> Iterable[str]:
    return {str(reference.get("uid") or "") for reference in owner_references(obj)}


def by_uid(obj: Obj) -> Iterable[str]:
    return (uid_of(obj),)


def by_label(name: str) -> IndexFunction:
    """An index on one label's value; objects without that label are not in it."""

    def values(obj: Obj) -> Iterable[str]:
        value = ((obj.get("metadata") or {}).get("labels") or {}).get(name)
        return () if value is None else (value,)

    return values


class IndexedStore:
    """What an informer knows. Its objects are shared: read, never mutate."""

    def __init__(self, indexes: Mapping[str, IndexFunction] | None = None) -> None:
        self._objects: dict[Key, Obj] = {}
        self._functions: dict[str, IndexFunction] = {}
        self._indexes: dict[str, dict[str, dict[Key, Obj]]] = {}
        for name, function in (indexes or {}).items():
            self.add_index(name, function)

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Adds an index, also of what is stored already. The same name with another function is a ValueError."""
        if name in self._functions:
            if self._functions[name] is not function:
                raise ValueError(f"index {name} exists with another function")
            return
        self._functions[name] = function
        index = self._indexes[name] = {}
        for key, obj in self._objects.items():
            for value in function(obj):
                index.setdefault(value, {})[key] = obj

    def get(self, key: Key) -> Obj | None:
        return self._objects.get(key)

    def keys(self) -> list[Key]:
        return list(self._objects)

    def list(self) -> list[Obj]:
        return list(self._objects.values())

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Obj]:
        return iter(self._objects.values())

    def indexed(self, name: str, value: str) -> Iterable[Obj]:
        """The objects that have `value` in the index `name` (a snapshot: safe across awaits)."""
        return tuple(self._indexes[name].get(value, {}).values())

    def put(self, obj: Obj) -> Obj | None:
        """Stores the object; gives the one that it replaces."""
        key = key_of(obj)
        old = self._objects.get(key)
        self._objects[key] = obj
        for name, function in self._functions.items():
            index = self._indexes[name]
            values = function(obj)
            if old is not None:
                for value in function(old):
                    if value not in values:
                        _discard(index, value, key)
            for value in values:
                index.setdefault(value, {})[key] = obj
        return old

    def remove(self, key: Key) -> Obj | None:
        """Forgets the object; gives it, or None when there was none."""
        old = self._objects.pop(key, None)
        if old is not None:
            for name, function in self._functions.items():
                for value in function(old):
                    _discard(self._indexes[name], value, key)
        return old


def _discard(index: dict[str, dict[Key, Obj]], value: str, key: Key) -> None:
    bucket = index.get(value)
    if bucket is not None:
        bucket.pop(key, None)
        if not bucket:
            del index[value]

"""The present state of one stored collection, ordered by key."""

from __future__ import annotations

from bisect import bisect_left, insort

from lateen.cluster.apiserver.store.record import Record
from lateen.cluster.apiserver.store.watch import Watch
from lateen.cluster.objects import Key


class Collection:
    """Records by key, and the watches on them."""

    __slots__ = ("_keys", "_records", "watches")

    def __init__(self) -> None:
        self._records: dict[Key, Record] = {}
        self._keys: list[Key] = []
        self.watches: set[Watch] = set()

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: Key) -> Record | None:
        return self._records.get(key)

    def put(self, record: Record) -> None:
        if record.key not in self._records:
            insort(self._keys, record.key)
        self._records[record.key] = record

    def remove(self, key: Key) -> None:
        if self._records.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]

    def records(self, namespace: str = "") -> list[Record]:
        """The records of a namespace (of all when empty), ordered by key."""
        if not namespace:
            return [self._records[key] for key in self._keys]
        start = bisect_left(self._keys, Key(namespace, ""))
        end = bisect_left(self._keys, Key(namespace + "\0", ""))
        return [self._records[key] for key in self._keys[start:end]]

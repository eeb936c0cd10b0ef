"""The present state of one stored collection, in the order of etcd's keys: that of the text `namespace/name`."""

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
            insort(self._keys, record.key, key=str)
        self._records[record.key] = record

    def remove(self, key: Key) -> None:
        if self._records.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, str(key), key=str)]

    def records(self, namespace: str = "") -> list[Record]:
        """The records of a namespace (of all when empty), ordered by key."""
        if not namespace:
            return [self._records[key] for key in self._keys]
        start = bisect_left(self._keys, f"{namespace}/", key=str)
        # The character after the slash.
        end = bisect_left(self._keys, f"{namespace}0", key=str)
        return [self._records[key] for key in self._keys[start:end]]

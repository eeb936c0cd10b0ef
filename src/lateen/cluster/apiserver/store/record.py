"""One version of one object: its encoded JSON, and its decoded form while that is in use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import msgspec

from lateen.cluster.objects import Key, Obj, labels_of

_decoder = msgspec.json.Decoder(Obj)
_NO_LABELS: Mapping[str, str] = {}


class Record:
    """An immutable version of an object. `raw` is JSON in the storage version, with its resourceVersion."""

    __slots__ = ("key", "labels", "raw", "revision")

    def __init__(self, key: Key, revision: int, raw: bytes, labels: Mapping[str, str]) -> None:
        self.key = key
        self.revision = revision
        self.raw = raw
        # Kept apart so that label selectors need no decoding.
        self.labels = labels or _NO_LABELS

    @classmethod
    def of(cls, key: Key, revision: int, obj: Obj) -> Record:
        return cls(key, revision, msgspec.json.encode(obj), labels_of(obj))

    @classmethod
    def load(cls, key: Key, revision: int, raw: bytes) -> Record:
        """A record read back from disk."""
        return cls(key, revision, raw, labels_of(_decoder.decode(raw)))


class DecodedCache:
    """The most recently used decoded objects. Encoded ones are several times smaller, so that not all are kept."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._objects: OrderedDict[int, Obj] = OrderedDict()

    def get(self, record: Record) -> Obj:
        """The record's object. It is shared: never change it."""
        found = self._objects.get(record.revision)
        if found is None:
            found = _decoder.decode(record.raw)
            self.put(record, found)
        else:
            self._objects.move_to_end(record.revision)
        return found

    def put(self, record: Record, obj: Obj) -> None:
        self._objects[record.revision] = obj
        if len(self._objects) > self._capacity:
            self._objects.popitem(last=False)

    def drop(self, record: Record) -> None:
        self._objects.pop(record.revision, None)

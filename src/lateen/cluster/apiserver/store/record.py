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
    """The most recently used decoded objects. Encoded ones are several times smaller, so that not all are kept.

    Bounded in number, and in bytes as encoded.
    """

    def __init__(self, capacity: int, max_bytes: int) -> None:
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._bytes = 0
        self._objects: OrderedDict[int, tuple[Obj, int]] = OrderedDict()

    def get(self, record: Record) -> Obj:
        """The record's object. It is shared: never change it."""
        found = self._objects.get(record.revision)
        if found is not None:
            self._objects.move_to_end(record.revision)
            return found[0]
        obj: Obj = _decoder.decode(record.raw)
        self.put(record, obj)
        return obj

    def put(self, record: Record, obj: Obj) -> None:
        self.drop(record)
        self._objects[record.revision] = (obj, len(record.raw))
        self._bytes += len(record.raw)
        while len(self._objects) > self._capacity or (self._bytes > self._max_bytes and len(self._objects) > 1):
            _, (_, size) = self._objects.popitem(last=False)
            self._bytes -= size

    def drop(self, record: Record) -> None:
        found = self._objects.pop(record.revision, None)
        if found is not None:
            self._bytes -= found[1]

"""A set of writes that become visible together, as one new revision."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeVar

from lateen.engine.errors import EngineMisuse
from lateen.engine.inputs import Cell, Table
from lateen.engine.table_data import ABSENT

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Writes = dict[Table[Any, Any], dict[Any, Any]]
"""By table and key; ABSENT removes."""


class Transaction:
    """Collects writes. What is written must be immutable from then on."""

    __slots__ = ("_open", "writes")

    def __init__(self) -> None:
        self.writes: Writes = {}
        self._open = True

    def set(self, table: Table[K, V], key: K, value: V) -> None:
        """Sets the value at a key. None is no value: use `delete`."""
        if key is None or value is None:
            raise EngineMisuse(f"{table!r}: None is neither a key nor a value; use delete() to remove one")
        self._write(table, key, value)

    def delete(self, table: Table[K, V], key: K) -> None:
        """Removes the value at a key, if there is one."""
        self._write(table, key, ABSENT)

    def put(self, cell: Cell[V], value: V) -> None:
        """Sets a cell."""
        self._write(cell.table, "", value)

    def close(self) -> None:
        self._open = False

    def _write(self, table: Table[Any, Any], key: Any, value: Any) -> None:
        if not self._open:
            raise EngineMisuse("the transaction has ended")
        written = self.writes.get(table)
        if written is None:
            written = self.writes[table] = {}
        written[key] = value

"""The columns that a CRD declares for its objects' tables.

Source: k8s.io/apiextensions-apiserver `registry/customresource/tableconvertor`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import msgspec

from lateen.cluster.apiserver.age import human_duration
from lateen.cluster.apiserver.crd.json_path import JsonPath
from lateen.cluster.apiserver.kind import Column
from lateen.cluster.objects import Obj, metadata, parse_timestamp

_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


class PrinterColumns:
    """The name, then what the CRD says; the age alone where it says nothing. Raises ValueError for a bad path."""

    def __init__(self, declared: Sequence[Obj]) -> None:
        self._paths = [
            (column.get("type") or "string", JsonPath(column.get("jsonPath") or "")) for column in declared or (_AGE,)
        ]
        self.columns = (
            Column("Name", format="name"),
            *(
                Column(
                    column.get("name") or "",
                    column.get("type") or "string",
                    column.get("format") or "",
                    column.get("description") or "",
                    int(column.get("priority") or 0),
                )
                for column in declared or (_AGE,)
            ),
        )

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [metadata(obj).get("name", ""), *(_cell(kind, path.find(obj), now) for kind, path in self._paths)]


def _cell(kind: str, found: Sequence[Any], now: dt.datetime) -> Any:
    """A cell of the column's type; None where the object has nothing that fits."""
    if not found:
        return None
    value = found[0]
    match kind:
        case "string":
            return _text(value)
        case "date":
            return _age(value, now)
        case "boolean":
            return value if isinstance(value, bool) else None
        case "integer" if isinstance(value, (int, float)) and not isinstance(value, bool):
            return int(value)
        case "number" if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
    return None


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _age(value: Any, now: dt.datetime) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return human_duration((now - parse_timestamp(value)).total_seconds())
    except (ValueError, TypeError):
        return "<invalid>"

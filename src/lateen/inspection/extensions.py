"""`proxy-config ecds`: extensions that are configured by themselves."""

from __future__ import annotations

from typing import Any

from lateen.inspection.dump import Dump
from lateen.inspection.table import table

HEADER = ("ECDS NAME", "Type")
_PREFIX = "type.googleapis.com/"


def extensions(dump: Dump) -> list[dict[str, Any]]:
    """By type and name."""
    return sorted(dump.extensions(), key=lambda each: (_type(each), str(each.get("name", ""))))


def summary(found: list[dict[str, Any]]) -> str:
    return table(HEADER, [(str(each.get("name", "")), _type(each).removeprefix(_PREFIX)) for each in found])


def _type(extension: dict[str, Any]) -> str:
    return str((extension.get("typed_config") or {}).get("@type", ""))

"""`proxy-status`: whether proxies have what they were sent, from the control planes' /debug/syncz."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lateen.inspection.table import table

TYPES: Final = {
    "CDS": "cluster",
    "LDS": "listener",
    "EDS": "endpoint",
    "RDS": "route",
    "ECDS": "extensionconfig",
}
HEADER: Final = ("NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED TYPES")
WIDE_HEADER: Final = ("NAME", "CLUSTER", *TYPES, "ISTIOD", "VERSION")
SYNCED: Final = "SYNCED"
NOT_SENT: Final = "NOT SENT"
STALE: Final = "STALE"
NEVER: Final = "STALE (Never Acknowledged)"


class SyncStatus(NamedTuple):
    """Of one proxy."""

    name: str
    """`NAME.NAMESPACE`"""
    cluster: str
    istiod: str
    version: str
    types: dict[str, str]
    """What each type's state is."""

    @property
    def namespace(self) -> str:
        return self.name.rpartition(".")[2]


def statuses(pages: Mapping[str, Any], namespace: str = "") -> list[SyncStatus]:
    """From the page of each control plane, by its name: all, or those of a namespace. By cluster and name."""
    found = [_status(istiod, each) for istiod, page in pages.items() for each in page if isinstance(each, dict)]
    return sorted(
        (each for each in found if not namespace or each.namespace == namespace),
        key=lambda each: (each.cluster, each.name, each.istiod),
    )


def summary(found: list[SyncStatus], *, wide: bool = False) -> str:
    """`wide` has a column for each type. Otherwise what is not in sync follows the types that are subscribed to."""
    if wide:
        rows = [(s.name, s.cluster, *(s.types[each] for each in TYPES), s.istiod, s.version) for s in found]
        return table(WIDE_HEADER, rows)
    return table(HEADER, [(s.name, s.cluster, s.istiod, s.version, _subscribed(s.types)) for s in found])


def _subscribed(types: Mapping[str, str]) -> str:
    sent = [name for name, state in types.items() if state != NOT_SENT]
    stale = [name for name, state in types.items() if state in (STALE, NEVER)]
    words = f"{len(sent)} ({','.join(sent)})"
    return f"{words}, STALE: {','.join(stale)}" if stale else words


def _status(istiod: str, page: Mapping[str, Any]) -> SyncStatus:
    return SyncStatus(
        str(page.get("proxy", "")),
        str(page.get("cluster_id", "")),
        istiod,
        str(page.get("istio_version", "")),
        {name: _state(page, field) for name, field in TYPES.items()},
    )


def _state(page: Mapping[str, Any], field: str) -> str:
    sent, acknowledged = page.get(f"{field}_sent"), page.get(f"{field}_acked")
    if not sent:
        return NOT_SENT
    if not acknowledged:
        return NEVER
    return SYNCED if sent == acknowledged else STALE

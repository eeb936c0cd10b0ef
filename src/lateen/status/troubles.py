"""What came out while proxies were served, laid at the door of the resources it came from."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from lateen.api.objects import Key, ObjectRef
from lateen.api.schema.fault import Fault, Severity
from lateen.engine import Engine
from lateen.model.fault import ConfigError
from lateen.model.tables import TABLES
from lateen.status.findings import REPORTED, SUBJECTS
from lateen.status.messages import INTERNAL_ERROR

_MOST_BLAMED = 20
"""Resources that are told of one rejection."""
_MOST_TOLD = 20
"""Rejections that one resource is told of."""
_ENVOY_FILTER: Final = "EnvoyFilter"

_KINDS: Final[Mapping[str, str]] = {table.name: kind.kind for kind, table in TABLES.items() if kind.kind in SUBJECTS}


class Rejected(NamedTuple):
    """A proxy refused something."""

    proxy: str
    what: str
    """Type and names, as people say them: `RDS 80`."""
    message: str
    """In the proxy's words."""
    origins: Iterable[tuple[str, Hashable]]
    """Name of table and key of all that it was made from."""


def troubles(
    rejections: Iterable[Rejected], errors: Iterable[Exception], known: Iterable[tuple[ObjectRef, Fault]] = ()
) -> dict[ObjectRef, tuple[Fault, ...]]:
    """Faults by resource. A rejection that has one resource behind it is that one's error; otherwise each of those it
    may come from is warned. EnvoyFilters are suspected before what they patch. `known` faults are just passed on."""
    found: dict[ObjectRef, dict[Fault, None]] = {}
    for rejection in rejections:
        suspects = _suspects(rejection.origins)
        text = f"{rejection.proxy} rejects {rejection.what}"
        for ref in suspects[:_MOST_BLAMED]:
            if len(suspects) == 1:
                fault = Fault("", f"{text}: {rejection.message}", Severity.ERROR, INTERNAL_ERROR)
            else:
                shared = f"{text}, made from this and {len(suspects) - 1} other resources: {rejection.message}"
                fault = Fault("", shared, Severity.WARNING, INTERNAL_ERROR)
            told = found.setdefault(ref, {})
            if len(told) < _MOST_TOLD:
                told[fault] = None
    for error in errors:
        if isinstance(error, ConfigError):
            found.setdefault(error.resource, {})[Fault(error.path, error.message)] = None
    for ref, fault in known:
        found.setdefault(ref, {})[fault] = None
    return {ref: tuple(faults) for ref, faults in sorted(found.items())}


def _suspects(origins: Iterable[tuple[str, Hashable]]) -> list[ObjectRef]:
    refs = {ObjectRef(_KINDS[table], key) for table, key in origins if table in _KINDS and isinstance(key, Key)}
    filters = [ref for ref in refs if ref.kind == _ENVOY_FILTER]
    return sorted(filters or refs)


def tell(engine: Engine, before: Mapping[ObjectRef, Any], now: Mapping[ObjectRef, tuple[Fault, ...]]) -> bool:
    """Writes what differs for the reports to join; whether anything did."""
    if before == now:
        return False
    with engine.change() as tx:
        for ref in before.keys() - now.keys():
            tx.delete(REPORTED, ref)
        for ref, faults in now.items():
            if before.get(ref) != faults:
                tx.set(REPORTED, ref, faults)
    return True

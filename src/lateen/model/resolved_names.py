"""Names that the control plane itself resolves: where proxies take addresses only."""

from __future__ import annotations

from lateen.engine import Reader, Table

RESOLVED_NAMES: Table[str, tuple[str, ...]] = Table("resolvednames")
"""The IP addresses of names, sorted. What is not here has not been resolved."""


def addresses_of(db: Reader, name: str) -> tuple[str, ...]:
    """The IP addresses of a name as last resolved; none when it never was."""
    return RESOLVED_NAMES.get(db, name) or ()

"""Findings on WorkloadGroups."""

from __future__ import annotations

from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, warning
from lateen.engine import Reader, query
from lateen.model.inputs import WORKLOAD_GROUPS


@query
def workload_group_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """Groups are read and validated; nothing registers workloads by them yet."""
    if WORKLOAD_GROUPS.get(db, key) is None:
        return ()
    return (
        warning(
            "spec", "not enforced yet by this version: workloads do not register themselves; write WorkloadEntries"
        ),
    )

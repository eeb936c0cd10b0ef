"""What is to be said of each resource: all that was found about it anywhere, joined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from lateen.api.kinds import MESH_KINDS
from lateen.api.objects import Key, ObjectRef
from lateen.api.schema.fault import Fault, Severity
from lateen.engine import Reader, Table, query
from lateen.model.findings import (
    authorization_policy,
    destination_rule,
    envoy_filter,
    gateway,
    peer_authentication,
    proxy_config,
    secret,
    service,
    service_entry,
    sidecar,
    virtual_service,
    workload_entry,
    workload_group,
)
from lateen.model.findings.not_enforced import not_enforced
from lateen.model.inputs import REJECTED, REJECTED_GENERATIONS, WARNINGS
from lateen.model.tables import TABLES

REPORTED: Table[ObjectRef, tuple[Fault, ...]] = Table("reported")
"""What came out while proxies were served: configuration that could not be made, and what Envoys rejected."""

_Findings = Callable[[Reader, Key], tuple[Fault, ...]]

_FINDINGS: Final[Mapping[str, _Findings]] = {
    "AuthorizationPolicy": authorization_policy.authorization_policy_findings,
    "DestinationRule": destination_rule.destination_rule_findings,
    "EnvoyFilter": envoy_filter.envoy_filter_findings,
    "Gateway": gateway.gateway_findings,
    "PeerAuthentication": peer_authentication.peer_authentication_findings,
    "ProxyConfig": proxy_config.proxy_config_findings,
    "Secret": secret.secret_findings,
    "Service": service.service_findings,
    "ServiceEntry": service_entry.service_entry_findings,
    "Sidecar": sidecar.sidecar_findings,
    "VirtualService": virtual_service.virtual_service_findings,
    "WorkloadEntry": workload_entry.workload_entry_findings,
    "WorkloadGroup": workload_group.workload_group_findings,
}
_TABLES: Final[Mapping[str, Table[Key, Any]]] = {kind.kind: table for kind, table in TABLES.items()}
FOLLOWED: Final = tuple(_TABLES)
"""The kinds that there may be something to say of."""
SUBJECTS: Final = frozenset(kind.kind for kind in MESH_KINDS)
"""Those that have a status of ours."""


class Report(msgspec.Struct, frozen=True):
    """All about one resource."""

    generation: int
    """`metadata.generation` of the newest version."""
    rejected: bool
    """The newest version was not taken."""
    in_force: bool
    """Some version is."""
    faults: tuple[Fault, ...] = ()
    """Errors first."""
    enforced: bool = True
    """This version does something with the kind."""

    @property
    def errors(self) -> int:
        return sum(fault.severity is Severity.ERROR for fault in self.faults)

    @property
    def warnings(self) -> int:
        return len(self.faults) - self.errors


@query
def report(db: Reader, ref: ObjectRef) -> Report | None:
    """Of a resource of any kind; None when it is not there."""
    table = _TABLES.get(ref.kind)
    value = table.get(db, ref.key) if table is not None else None
    rejected = REJECTED.get(db, ref)
    if value is None and rejected is None:
        return None
    found = [*(rejected or ()), *(WARNINGS.get(db, ref) or ()), *(REPORTED.get(db, ref) or ())]
    without_effect = not_enforced(ref.kind)
    if value is not None:
        findings = _FINDINGS.get(ref.kind)
        found += findings(db, ref.key) if findings is not None else without_effect
    newest = REJECTED_GENERATIONS.get(db, ref)
    generation = newest if newest is not None or value is None else value.metadata.generation
    faults = sorted(dict.fromkeys(found), key=lambda fault: (fault.severity is not Severity.ERROR, fault.path))
    return Report(generation or 0, rejected is not None, value is not None, tuple(faults), not without_effect)


@query
def subjects(db: Reader, kind: str) -> tuple[ObjectRef, ...]:
    """The resources of a kind to follow: all that have a status of ours, and of Kubernetes' own those with faults."""
    there = {ref for table in (REJECTED, WARNINGS) for ref in table.keys(db) if ref.kind == kind}
    if kind in SUBJECTS:
        there.update(ObjectRef(kind, key) for key in _TABLES[kind].keys(db))
    return tuple(sorted(there))

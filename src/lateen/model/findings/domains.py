"""Findings on names: requests for a name of one service that another one gets."""

from __future__ import annotations

from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, warning
from lateen.engine import Reader, query
from lateen.model.domains import lost_domains
from lateen.model.inputs import SERVICE_ENTRIES
from lateen.model.service import ServiceKey


@query
def service_entry_domain_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """Names and addresses by which clients reach another service than one of this ServiceEntry over HTTP."""
    entry = SERVICE_ENTRIES.get(db, key)
    return tuple(
        warning(f"spec.hosts[{index}]", f"HTTP requests for {domain!r} go to {other}, which comes first")
        for index, host in enumerate(entry.spec.hosts if entry is not None else ())
        for domain, other in lost_domains(db, ServiceKey(host, key.namespace))
    )

"""Findings on WorkloadEntries: whether any service has them as an endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.networking.workload_entry import WorkloadEntry
from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, warning
from lateen.engine import Reader, query
from lateen.model.inputs import WORKLOAD_ENTRIES
from lateen.model.mesh import discovered
from lateen.model.networks import network_gateways
from lateen.model.protocol import Protocol
from lateen.model.service import ServiceKey
from lateen.model.services import service
from lateen.model.workloads import entry_facts, selecting


@query
def workload_entry_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """A WorkloadEntry that no service selects, or that is behind a gateway nobody knows, gets no traffic."""
    entry, facts = WORKLOAD_ENTRIES.get(db, key), entry_facts(db, key)
    if entry is None or facts is None:
        return ()
    if not discovered(db, key.namespace):
        return (warning("", f"has no effect: discoverySelectors leave out namespace {key.namespace!r}"),)
    services = selecting(db, key.namespace, facts.labels, ())
    if not services:
        return (warning("spec.labels", "no service of this namespace selects this workload"),)
    if not entry.spec.address and not any(each.network == entry.spec.network for each in network_gateways(db)):
        return (warning("spec.network", f"network {entry.spec.network!r} has no gateway, and there is no address"),)
    return tuple(_nameless(db, entry.spec, services))


def _nameless(db: Reader, entry: WorkloadEntry, services: tuple[ServiceKey, ...]) -> Iterator[Fault]:
    """Ports that services refer to by names that the entry has not."""
    for key in services:
        found = service(db, key)
        for port in found.ports if found is not None else ():
            if port.protocol is not Protocol.UDP and not port.number_at(entry.ports):
                yield warning(
                    "spec.ports",
                    f"has no {port.target_port_name!r}, the target of port {port.port} of {key.hostname}: "
                    "gets none of its traffic",
                )

"""ServiceEntries as services of the mesh: one service per host and namespace."""

from __future__ import annotations

import ipaddress

from lateen.api.networking.service_entry import Location, ServiceEntry
from lateen.api.networking.service_entry import Resolution as DeclaredResolution
from lateen.api.networking.service_entry import ServicePort as DeclaredPort
from lateen.api.objects import Key, Object, ObjectRef
from lateen.engine import Reader, query
from lateen.model.auto_addresses import auto_addresses
from lateen.model.inputs import SERVICE_ENTRIES
from lateen.model.kubernetes_services import traffic_distribution
from lateen.model.mesh import default_service_export
from lateen.model.protocol_selection import service_protocol
from lateen.model.service import Resolution, Service, ServiceKey, ServicePort

RESOLUTIONS = {
    DeclaredResolution.NONE: Resolution.PASSTHROUGH,
    DeclaredResolution.STATIC: Resolution.EDS,
    DeclaredResolution.DNS: Resolution.DNS,
    DeclaredResolution.DNS_ROUND_ROBIN: Resolution.DNS_ROUND_ROBIN,
    DeclaredResolution.DYNAMIC_DNS: Resolution.DYNAMIC_DNS,
}

Entry = Object[ServiceEntry]


def entries_of(db: Reader, key: ServiceKey) -> tuple[Entry, ...]:
    """The ServiceEntries of a namespace that declare a host, the oldest first."""
    keys = SERVICE_ENTRIES.where(db, "host", key.hostname)
    if not keys:
        return ()
    found = [SERVICE_ENTRIES.get(db, each) for each in keys if each.namespace == key.namespace]
    return tuple(sorted((entry for entry in found if entry is not None), key=lambda entry: entry.age))


@query
def entry_hosts(db: Reader, key: Key) -> tuple[str, ...]:
    """The hosts that one ServiceEntry declares, in order, each once."""
    entry = SERVICE_ENTRIES.get(db, key)
    return tuple(dict.fromkeys(entry.spec.hosts)) if entry is not None else ()


def entry_service(db: Reader, key: ServiceKey) -> Service | None:
    """The service that the ServiceEntries of a namespace make of a host; None when there are none.

    The oldest decides what the service is. Others of the same namespace add ports that it lacks, addresses and names:
    a host may be declared in parts.
    """
    entries = entries_of(db, key)
    if not entries:
        return None
    first = entries[0]
    spec, metadata = first.spec, first.metadata
    return Service(
        key=key,
        name=key.hostname,
        source=ObjectRef("ServiceEntry", first.key),
        ports=_ports(entries),
        resolution=RESOLUTIONS[spec.resolution],
        addresses=tuple(dict.fromkeys(shortened(address) for entry in entries for address in entry.spec.addresses)),
        auto_addresses=auto_addresses(db, key),
        mesh_external=spec.location is Location.MESH_EXTERNAL,
        export_to=tuple(spec.export_to) or default_service_export(db),
        labels=tuple(sorted(metadata.labels.items())),
        selects=spec.workload_selector is not None,
        selector=tuple(sorted(spec.workload_selector.labels.items())) if spec.workload_selector is not None else (),
        subject_alt_names=tuple(dict.fromkeys(name for entry in entries for name in entry.spec.subject_alt_names)),
        traffic_distribution=traffic_distribution(None, metadata.annotations),
        created=metadata.creation_timestamp or "",
    )


def subject_alt_names(db: Reader, key: ServiceKey) -> tuple[str, ...]:
    """The names that ServiceEntries add to a host that is a Kubernetes Service as well."""
    entries = entries_of(db, key)
    return tuple(dict.fromkeys(name for entry in entries for name in entry.spec.subject_alt_names)) if entries else ()


def shortened(address: str) -> str:
    """A CIDR of a single address as that address."""
    if "/" in address:
        network = ipaddress.ip_network(address, strict=False)
        if network.prefixlen == network.max_prefixlen:
            return str(network.network_address)
    return address


def endpoint_port(port: DeclaredPort) -> int:
    """Where endpoints listen that do not say otherwise."""
    return port.target_port or port.number


def _ports(entries: tuple[Entry, ...]) -> tuple[ServicePort, ...]:
    ports: dict[int, ServicePort] = {}
    for entry in entries:
        for port in entry.spec.ports:
            ports.setdefault(
                port.number,
                ServicePort(port.name, port.number, service_protocol(port.protocol), endpoint_port(port)),
            )
    return tuple(ports.values())

"""What a WorkloadEntry must keep to beyond its types."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.networking.workload_entry import WorkloadEntry
from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, error, warning
from lateen.api.schema.hostnames import UNIX_PREFIX, is_dns_label, wrong_address, wrong_fqdn, wrong_unix_address
from lateen.api.schema.labels import label_faults

_MOST_PARTS = 3


def validate(obj: Object[WorkloadEntry]) -> Iterator[Fault]:
    """Faults of a WorkloadEntry."""
    yield from entry_faults("spec", obj.spec)


def entry_faults(path: str, entry: WorkloadEntry, *, names_allowed: bool = True) -> Iterator[Fault]:
    """Faults of a WorkloadEntry, or of an endpoint of a ServiceEntry."""
    yield from _address(path, entry, names_allowed)
    yield from port_faults(path, entry)
    yield from label_faults(f"{path}.labels", entry.labels)
    yield from locality_faults(f"{path}.locality", entry.locality)


def port_faults(path: str, entry: WorkloadEntry) -> Iterator[Fault]:
    """Faults of the port map."""
    if entry.ports and entry.address.startswith(UNIX_PREFIX):
        yield error(f"{path}.ports", "must be empty: a unix domain socket has no ports")
    for name, number in entry.ports.items():
        if not is_dns_label(name):
            yield error(f"{path}.ports[{name}]", f"must be the name of a service port (a DNS label), not {name!r}")
        if not 0 < number <= 65535:
            yield error(f"{path}.ports[{name}]", f"must be a port from 1 to 65535, not {number}")


def locality_faults(path: str, locality: str) -> Iterator[Fault]:
    """Doubts about `region/zone/subzone`."""
    parts = locality.split("/") if locality else []
    if len(parts) > _MOST_PARTS:
        yield warning(path, f"has more than region/zone/subzone: all after {'/'.join(parts[:2])!r} is one subzone")
    if any(not part for part in parts):
        yield warning(path, f"has an empty part: {locality!r}")


def _address(path: str, entry: WorkloadEntry, names_allowed: bool) -> Iterator[Fault]:
    address = entry.address
    if not address:
        if not entry.network:
            yield error(f"{path}.address", "is required, unless a network is given whose gateway answers")
        else:
            yield warning(f"{path}.address", f"is not set: only the gateway of network {entry.network!r} is reached")
    elif address.startswith(UNIX_PREFIX):
        if wrong := wrong_unix_address(address.removeprefix(UNIX_PREFIX)):
            yield error(f"{path}.address", wrong)
    elif wrong_address(address):
        if not names_allowed:
            yield error(f"{path}.address", f"must be an IP address or a unix domain socket, not {address!r}")
        elif wrong_fqdn(address):
            yield error(f"{path}.address", f"must be an IP address or a host name, not {address!r}")

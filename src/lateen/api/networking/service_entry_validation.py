"""What a ServiceEntry must keep to beyond its types."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from lateen.api.networking.export_to import export_faults
from lateen.api.networking.port_protocols import HTTP_PROTOCOLS, PROTOCOLS, TLS_PROTOCOLS
from lateen.api.networking.service_entry import Location, Resolution, ServiceEntry
from lateen.api.networking.workload_entry_validation import entry_faults
from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, error, warning
from lateen.api.schema.hostnames import UNIX_PREFIX, is_dns_label, wrong_fqdn, wrong_wildcard_host

_NAMED = frozenset({Resolution.DNS, Resolution.DNS_ROUND_ROBIN})
_TELLS_HOSTS = HTTP_PROTOCOLS | TLS_PROTOCOLS | {"HTTP_PROXY"}
"""Protocols in which the host is said: by the Host header, or by SNI."""
_AUTO_ADDRESS_LABEL = "networking.istio.io/enable-autoallocate-ip"


def validate(obj: Object[ServiceEntry]) -> Iterator[Fault]:
    """Faults of a ServiceEntry."""
    spec = obj.spec
    yield from _hosts(spec)
    yield from _addresses(spec)
    yield from _ports(obj)
    yield from _endpoints(spec)
    yield from _resolution(spec)
    if spec.workload_selector is not None and not spec.workload_selector.labels:
        yield warning("spec.workloadSelector.labels", "is empty: all workloads of the namespace are selected")
    yield from export_faults("spec.exportTo", obj.metadata.namespace, spec.export_to, none_allowed=True)


def _hosts(spec: ServiceEntry) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for index, host in enumerate(spec.hosts):
        path = f"spec.hosts[{index}]"
        if host == "*":
            yield error(path, "must not be *: say which hosts")
        elif wrong := wrong_wildcard_host(host):
            yield error(path, wrong)
        elif host.startswith("*") and not host.startswith("*."):
            yield warning(path, f"should have the wildcard alone before the first dot, unlike {host!r}")
        earlier = seen.setdefault(host, index)
        if earlier != index:
            yield warning(path, f"names {host!r} again, after spec.hosts[{earlier}]")
    if spec.resolution is not Resolution.NONE and len(spec.hosts) > 1:
        for index, port in enumerate(spec.ports):
            if port.protocol.upper() not in _TELLS_HOSTS:
                yield error(
                    f"spec.ports[{index}].protocol",
                    "must be an HTTP or TLS protocol, as there are several hosts: others do not tell which is meant",
                )


def _addresses(spec: ServiceEntry) -> Iterator[Fault]:
    for index, address in enumerate(spec.addresses):
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError:
            yield error(f"spec.addresses[{index}]", f"must be an IP address or a CIDR, not {address!r}")


def _ports(obj: Object[ServiceEntry]) -> Iterator[Fault]:
    spec = obj.spec
    for index, port in enumerate(spec.ports):
        path = f"spec.ports[{index}]"
        if not is_dns_label(port.name):
            yield error(f"{path}.name", f"must be a DNS label, not {port.name!r}")
        protocol = port.protocol.upper()
        if protocol and protocol not in PROTOCOLS:
            yield error(f"{path}.protocol", f"must be one of {', '.join(sorted(PROTOCOLS))}, not {port.protocol!r}")
        elif protocol in ("", "TCP") and not spec.addresses and not _gets_address(obj):
            yield warning(
                f"{path}.protocol",
                f"has no address to be told by: without spec.addresses, TCP traffic to port {port.number} of any host "
                "is taken for this service's",
            )
        elif protocol == "UDP":
            yield warning(f"{path}.protocol", "is not carried: the mesh proxies TCP")
    if not spec.ports and spec.resolution is not Resolution.NONE:
        yield warning("spec.ports", "is empty: there is nothing to send to")


def _gets_address(obj: Object[ServiceEntry]) -> bool:
    opted_out = obj.metadata.labels.get(_AUTO_ADDRESS_LABEL, "").lower() == "false"
    return obj.spec.resolution is not Resolution.NONE and not opted_out


def _endpoints(spec: ServiceEntry) -> Iterator[Fault]:
    names = {port.name for port in spec.ports}
    for index, endpoint in enumerate(spec.endpoints):
        path = f"spec.endpoints[{index}]"
        yield from entry_faults(path, endpoint, names_allowed=spec.resolution in _NAMED)
        for name in endpoint.ports:
            if name not in names:
                yield error(f"{path}.ports[{name}]", f"must be one of the service's ports, not {name!r}")
        if endpoint.address.startswith(UNIX_PREFIX):
            if spec.resolution in _NAMED:
                yield error(f"{path}.address", "must be an address or a name: a socket cannot be resolved")
            if len(spec.ports) != 1:
                yield error(f"{path}.address", "must not be a unix domain socket: that needs exactly one service port")


def _resolution(spec: ServiceEntry) -> Iterator[Fault]:
    resolution = spec.resolution
    if spec.workload_selector is not None and resolution is not Resolution.STATIC:
        yield warning("spec.workloadSelector", f"should only be set with resolution STATIC, not {resolution.value}")
    if resolution is Resolution.NONE:
        for index, port in enumerate(spec.ports):
            if port.target_port and port.target_port != port.number and not spec.addresses:
                yield warning(f"spec.ports[{index}].targetPort", "changes the port of whatever address was dialled")
    if resolution in _NAMED:
        yield from _named(spec)
    if resolution is Resolution.DYNAMIC_DNS:
        yield from _dynamic(spec)


def _named(spec: ServiceEntry) -> Iterator[Fault]:
    if not spec.endpoints and spec.workload_selector is None:
        for index, host in enumerate(spec.hosts):
            if wrong_fqdn(host):
                yield error(
                    f"spec.hosts[{index}]",
                    f"must be a full host name with resolution {spec.resolution.value} and no endpoints, not {host!r}",
                )
    if spec.addresses and len(spec.hosts) > 1:
        for index, port in enumerate(spec.ports):
            if port.protocol.upper() == "TCP":
                yield warning(
                    f"spec.ports[{index}].protocol", "cannot tell the hosts apart: they have the same addresses"
                )


def _dynamic(spec: ServiceEntry) -> Iterator[Fault]:
    for index, host in enumerate(spec.hosts):
        if not host.startswith("*."):
            yield error(f"spec.hosts[{index}]", f"must be a wildcard with resolution DYNAMIC_DNS, not {host!r}")
    if spec.location is not Location.MESH_EXTERNAL:
        yield error("spec.location", "must be MESH_EXTERNAL with resolution DYNAMIC_DNS")
    if spec.endpoints:
        yield warning("spec.endpoints", "has no effect with resolution DYNAMIC_DNS: requests name their endpoints")
    for index, port in enumerate(spec.ports):
        if port.protocol.upper() not in _TELLS_HOSTS:
            yield error(
                f"spec.ports[{index}].protocol",
                "must be an HTTP or TLS protocol with resolution DYNAMIC_DNS: others do not name a host",
            )
        elif port.target_port and port.protocol.upper() in HTTP_PROTOCOLS:
            yield warning(
                f"spec.ports[{index}].targetPort",
                "has no effect on HTTP with resolution DYNAMIC_DNS: requests name the port, too",
            )

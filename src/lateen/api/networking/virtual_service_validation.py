"""What a VirtualService must keep to beyond its types, and what of it its author should look at."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from lateen.api.networking.export_to import export_faults
from lateen.api.networking.http_route_validation import http_route_faults
from lateen.api.networking.route_match_validation import destination_faults, gateway_name_faults, where_faults
from lateen.api.networking.route_reachability import unreachable
from lateen.api.networking.routing_claims import routing_claim
from lateen.api.networking.virtual_service import (
    L4MatchAttributes,
    RouteDestination,
    TCPRoute,
    TLSMatchAttributes,
    TLSRoute,
    VirtualService,
)
from lateen.api.objects import Object
from lateen.api.schema.fault import Fault, error, warning
from lateen.api.schema.hostnames import wrong_address, wrong_wildcard_host

_PORT_MAXIMUM = 65535


def validate(obj: Object[VirtualService]) -> Iterator[Fault]:
    """Faults of a VirtualService."""
    spec = obj.spec
    delegate = not spec.hosts
    if delegate:
        yield from _delegate(spec)
    if spec.gateways:
        yield from gateway_name_faults("spec.gateways", spec.gateways)
    yield from _hosts(spec)
    if not (spec.http or spec.tcp or spec.tls):
        yield error("spec", "must have routes: http, tls or tcp")
    for index, http in enumerate(spec.http):
        yield from http_route_faults(f"spec.http[{index}]", http, of_delegate=delegate)
    if not _only_for_gateways(spec):
        yield from _claims(spec)
    for index, tls in enumerate(spec.tls):
        yield from _tls_route(f"spec.tls[{index}]", tls, spec)
    for index, tcp in enumerate(spec.tcp):
        yield from _tcp_route(f"spec.tcp[{index}]", tcp)
    if spec.export_to:
        yield from export_faults("spec.exportTo", obj.metadata.namespace, spec.export_to)
    yield from unreachable(spec)


def _delegate(spec: VirtualService) -> Iterator[Fault]:
    for path, given in (("gateways", spec.gateways), ("tls", spec.tls), ("tcp", spec.tcp)):
        if given:
            yield error(f"spec.{path}", "must not be set in a delegate (a VirtualService without hosts)")


def _only_for_gateways(spec: VirtualService) -> bool:
    return bool(spec.gateways) and "mesh" not in spec.gateways


def _hosts(spec: VirtualService) -> Iterator[Fault]:
    right = True
    for index, host in enumerate(spec.hosts):
        path = f"spec.hosts[{index}]"
        wrong = _wrong_host(spec, host)
        if not wrong and host == "*" and not _only_for_gateways(spec):
            wrong = "must not be * for the mesh: name the hosts, or gateways that this is for"
        if wrong:
            right = False
            yield error(path, wrong)
    if right:
        yield from _duplicate_hosts(spec.hosts)


def _wrong_host(spec: VirtualService, host: str) -> str:
    wrong = wrong_wildcard_host(host)
    if not wrong or not wrong_address(host):
        return ""
    if _only_for_gateways(spec) and spec.tls and host.startswith("outbound_."):
        return _wrong_sni_host(host)
    return wrong


def _wrong_sni_host(host: str) -> str:
    """What is wrong with a server name that stands for a service, `outbound_.80_._.host` (AUTO_PASSTHROUGH)."""
    parts = host.split("_.", 3)
    if len(parts) == 4 and parts[1].isdigit() and any(c.isalpha() for c in parts[3]):
        return ""
    return f"must have the form outbound_.PORT_.SUBSET_.HOST, not {host!r}"


def _duplicate_hosts(hosts: tuple[str, ...]) -> Iterator[Fault]:
    """One host that covers another leaves open which routes hold."""
    exact = [(i, h) for i, h in enumerate(hosts) if not h.startswith("*")]
    seen: dict[str, int] = {}
    for index, host in exact:
        if seen.setdefault(host, index) != index:
            yield error(f"spec.hosts[{index}]", f"names {host!r} again")
    for index, host in enumerate(hosts):
        if host.startswith("*"):
            for other, covered in enumerate(hosts):
                if covered.endswith(host[1:]) and (other > index or (other < index and not covered.startswith("*"))):
                    yield error(f"spec.hosts[{max(index, other)}]", f"{host!r} covers {covered!r}")


def _claims(spec: VirtualService) -> Iterator[Fault]:
    for index, route in enumerate(spec.http):
        for number, match in enumerate(route.match):
            path = f"spec.http[{index}].match[{number}]"
            for field, headers in (("headers", match.headers), ("withoutHeaders", match.without_headers)):
                for name in headers:
                    if routing_claim(name) is not None:
                        yield error(
                            f"{path}.{field}[{name!r}]", "is only for gateways: `gateways` must name some, not mesh"
                        )


def _tls_route(path: str, route: TLSRoute, spec: VirtualService) -> Iterator[Fault]:
    if not route.match:
        yield error(f"{path}.match", "must have at least one condition")
    for index, match in enumerate(route.match):
        yield from _tls_match(f"{path}.match[{index}]", match, spec)
    yield from _destinations(path, route.route)


def _tls_match(path: str, match: TLSMatchAttributes, spec: VirtualService) -> Iterator[Fault]:
    if not match.sni_hosts:
        yield error(f"{path}.sniHosts", "must have at least one server name")
    for index, name in enumerate(match.sni_hosts):
        yield from _sni_host(f"{path}.sniHosts[{index}]", name, spec)
    yield from _subnets(path, match.destination_subnets)
    yield from _common(path, match)


def _sni_host(path: str, name: str, spec: VirtualService) -> Iterator[Fault]:
    if not wrong_address(name):
        yield warning(path, f"is an address ({name!r}): most clients send no server name then")
        return
    if wrong := _wrong_host(spec, name):
        yield error(path, wrong)
        return
    if not any(_within(name, host) for host in spec.hosts):
        yield error(path, f"must be within the hosts of the VirtualService ({', '.join(spec.hosts)}), not {name!r}")


def _within(name: str, host: str) -> bool:
    if host.startswith("*"):
        return name.removeprefix("*").endswith(host[1:])
    return name == host


def _tcp_route(path: str, route: TCPRoute) -> Iterator[Fault]:
    for index, match in enumerate(route.match):
        here = f"{path}.match[{index}]"
        yield from _subnets(here, match.destination_subnets)
        if match.source_subnet:
            yield warning(f"{here}.sourceSubnet", "is not supported: the match holds for every source")
        yield from _common(here, match)
    yield from _destinations(path, route.route)


def _common(path: str, match: TLSMatchAttributes | L4MatchAttributes) -> Iterator[Fault]:
    if match.port > _PORT_MAXIMUM:
        yield error(f"{path}.port", f"must be from 1 to {_PORT_MAXIMUM}, not {match.port}")
    yield from where_faults(path, match)


def _subnets(path: str, subnets: tuple[str, ...]) -> Iterator[Fault]:
    for index, subnet in enumerate(subnets):
        try:
            ipaddress.ip_network(subnet, strict=False)
        except ValueError:
            yield error(f"{path}.destinationSubnets[{index}]", f"must be an address or a CIDR, not {subnet!r}")


def _destinations(path: str, routes: tuple[RouteDestination, ...]) -> Iterator[Fault]:
    if not routes:
        yield error(f"{path}.route", "must have at least one destination")
    for index, route in enumerate(routes):
        yield from destination_faults(f"{path}.route[{index}].destination", route.destination)
        if route.weight < 0:
            yield error(f"{path}.route[{index}].weight", f"must not be negative, not {route.weight}")
    if len(routes) > 1 and not any(route.weight for route in routes):
        yield error(f"{path}.route", "must have weights: the sum of all is 0")

"""Findings on VirtualServices: what they refer to and is not there, and what another one takes from them."""

from __future__ import annotations

from collections.abc import Iterator

from lateen.api.networking.virtual_service import Destination, RouteDestination, VirtualService
from lateen.api.objects import Key, Object
from lateen.api.schema.fault import Fault, Severity
from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.destination_rules import destination_rules, merged_rule, rule_client
from lateen.model.effective_routes import delegated_routes
from lateen.model.fault import ConfigError
from lateen.model.gateway_names import MESH, full_gateway_name
from lateen.model.inputs import DOMAIN, GATEWAYS, VIRTUAL_SERVICES
from lateen.model.scope import visibility_of_host
from lateen.model.service import Resolution, Service, ServiceKey
from lateen.model.services import service, unaliased
from lateen.model.virtual_services import Outline, candidates_of_host, outline

NOT_FOUND = "IST0101"
CONFLICTING_HOSTS = "IST0109"
PORT_REQUIRED = "IST0112"
HOST_NOT_IN_GATEWAY = "IST0132"


@query
def virtual_service_findings(db: Reader, key: Key) -> tuple[Fault, ...]:
    """Everything about a VirtualService that its author should know and that it alone does not tell."""
    found = VIRTUAL_SERVICES.get(db, key)
    where = outline(db, key)
    if found is None or where is None:
        return ()
    return (
        *_gateways(db, found, where),
        *_conflicts(db, where),
        *_delegates(db, found),
        *(fault for path, target in _destinations(found.spec) for fault in _destination(db, found, path, target)),
        *_resolved_as_named(db, found),
    )


def _error(path: str, message: str, code: str = "") -> Fault:
    return Fault(path, message, Severity.ERROR, code)


def _warning(path: str, message: str, code: str = "") -> Fault:
    return Fault(path, message, Severity.WARNING, code)


def _gateways(db: Reader, found: Object[VirtualService], where: Outline) -> Iterator[Fault]:
    """Gateways that are not there, and hosts that none of them exposes."""
    named = [(f"spec.gateways[{index}]", name) for index, name in enumerate(found.spec.gateways)]
    for kind in ("http", "tls", "tcp"):
        for index, route in enumerate(getattr(found.spec, kind)):
            for number, match in enumerate(route.match):
                path = f"spec.{kind}[{index}].match[{number}].gateways"
                named += [(f"{path}[{place}]", name) for place, name in enumerate(match.gateways)]
    for path, name in named:
        full = full_gateway_name(name, found.metadata.namespace)
        namespace, _, short = full.partition("/")
        if full != MESH and GATEWAYS.get(db, Key(namespace, short, found.key.cluster)) is None:
            yield _error(path, f"Gateway {full} does not exist", NOT_FOUND)
    exposed = [host for name in where.gateways if name != MESH for host in _exposed(db, found, name)]
    if MESH in where.gateways or not exposed:
        return
    for index, host in enumerate(where.hosts):
        if not any(hosts.overlaps(host, pattern) for pattern in exposed):
            yield _warning(f"spec.hosts[{index}]", f"no server of its gateways exposes {host!r}", HOST_NOT_IN_GATEWAY)


def _exposed(db: Reader, found: Object[VirtualService], name: str) -> Iterator[str]:
    """The hosts that a Gateway exposes to VirtualServices of this namespace."""
    namespace, _, short = name.partition("/")
    gateway = GATEWAYS.get(db, Key(namespace, short, found.key.cluster))
    for server in gateway.spec.servers if gateway is not None else ():
        for host in server.hosts:
            allowed, slash, pattern = host.partition("/")
            if not slash:
                yield host.lower()
            elif allowed == "*" or found.metadata.namespace == (namespace if allowed == "." else allowed):
                yield pattern.lower()


def _conflicts(db: Reader, where: Outline) -> Iterator[Fault]:
    """Hosts for sidecars that another VirtualService routes, whose word counts."""
    if MESH not in where.gateways:
        return
    for index, host in enumerate(where.hosts):
        exact = hosts.specificity(host)
        for other in (each.outline for each in candidates_of_host(db, host) if each.specificity == exact):
            if other.key == where.key:
                continue
            shared = _common_namespace(where, other)
            (ours, our_age), (theirs, their_age) = where.rank(shared), other.rank(shared)
            # One that is meant for fewer namespaces is meant to count there.
            if shared and ours == theirs and their_age < our_age:
                text = f"{host!r} is routed by VirtualService {other.key}, which comes first: one of them has no effect"
                yield _error(f"spec.hosts[{index}]", text, CONFLICTING_HOSTS)
                break


def _common_namespace(one: Outline, other: Outline) -> str:
    """A namespace that sees both: any one that is named, `*` when only all together do, nothing when there is none."""
    named = {space for space in one.export_to | other.export_to if space != "*"}
    seen = sorted(space for space in named if one.is_seen_from(space) and other.is_seen_from(space))
    if seen:
        return seen[0]
    return "*" if "*" in one.export_to and "*" in other.export_to else ""


def _delegates(db: Reader, found: Object[VirtualService]) -> Iterator[Fault]:
    for index, route in enumerate(found.spec.http):
        if route.delegate is None:
            continue
        try:
            merged = delegated_routes(db, found.key, index)
        except ConfigError as refused:
            yield _error(refused.path, refused.message, NOT_FOUND if "does not exist" in refused.message else "")
            continue
        namespace = route.delegate.namespace or found.metadata.namespace
        delegate = VIRTUAL_SERVICES.get(db, Key(namespace, route.delegate.name, found.key.cluster))
        left_out = len(delegate.spec.http) - len(merged) if delegate is not None else 0
        if left_out:
            text = f"{left_out} routes of the delegate are left out: their matches are not narrower than those here"
            yield _warning(f"spec.http[{index}].delegate", text)


def _destinations(spec: VirtualService) -> Iterator[tuple[str, Destination]]:
    for index, http in enumerate(spec.http):
        path = f"spec.http[{index}]"
        yield from ((f"{path}.route[{n}].destination", each.destination) for n, each in enumerate(http.route))
        if http.mirror is not None:
            yield f"{path}.mirror", http.mirror
        yield from ((f"{path}.mirrors[{n}].destination", each.destination) for n, each in enumerate(http.mirrors))
    for path, routes in _streams(spec):
        yield from ((f"{path}.route[{n}].destination", each.destination) for n, each in enumerate(routes))


def _streams(spec: VirtualService) -> Iterator[tuple[str, tuple[RouteDestination, ...]]]:
    for kind, streams in (("tls", [r.route for r in spec.tls]), ("tcp", [r.route for r in spec.tcp])):
        yield from ((f"spec.{kind}[{index}]", routes) for index, routes in enumerate(streams))


def _resolved_as_named(db: Reader, found: Object[VirtualService]) -> Iterator[Fault]:
    """What is resolved by the server name of each connection must be all that a route has to choose from."""
    namespace = found.metadata.namespace
    for path, routes in _streams(found.spec):
        if sum(each.weight > 0 for each in routes) < 2:
            continue
        for index, each in enumerate(routes):
            meant = _service(db, namespace, hosts.resolved(each.destination.host, namespace, DOMAIN.get(db)).lower())
            if each.weight and meant is not None and meant.resolution is Resolution.DYNAMIC_DNS:
                text = (
                    "is refused: a host with resolution DYNAMIC_DNS must be the only destination of a tls or tcp route"
                )
                yield _warning(f"{path}.route[{index}].destination.host", text)


def _destination(db: Reader, found: Object[VirtualService], path: str, target: Destination) -> Iterator[Fault]:
    namespace = found.metadata.namespace
    host = unaliased(db, hosts.resolved(target.host, namespace, DOMAIN.get(db)).lower())
    meant = _service(db, namespace, host)
    if meant is None or meant.hostname.lower() != host:
        # A wildcard service around it has no cluster for this very host.
        yield _error(f"{path}.host", f"no service {host!r} is visible in namespace {namespace}", NOT_FOUND)
        return
    if target.port is not None and meant.port(target.port.number) is None:
        ports = ", ".join(str(port.port) for port in meant.ports)
        yield _error(f"{path}.port.number", f"{host!r} has no port {target.port.number}, only {ports}")
    elif target.port is None and len(meant.ports) > 1 and found.spec.hosts != (target.host,):
        yield from _needs_port(db, found, path, host, meant)
    if target.subset:
        rules = destination_rules(db, host, meant.namespace, rule_client(db, namespace, ()))
        if merged_rule(db, rules).subset(target.subset) is None:
            text = f"no DestinationRule for {host!r} that namespace {namespace} sees has a subset {target.subset!r}"
            yield _error(f"{path}.subset", text, NOT_FOUND)


def _needs_port(db: Reader, found: Object[VirtualService], path: str, host: str, meant: Service) -> Iterator[Fault]:
    """A destination of several ports without one named gets the port of arrival, which it may not have."""
    where = outline(db, found.key)
    arrivals: set[int] = set()
    for name in where.hosts if where is not None else ():
        routed = _service(db, found.metadata.namespace, name)
        if routed is None:
            arrivals.add(80)
        else:
            arrivals.update(port.port for port in routed.ports if port.protocol.is_http or port.protocol.is_sniffed)
    missing = sorted(port for port in arrivals if meant.port(port) is None)
    if missing:
        text = f"must name a port of {host!r}: it has several, but not {', '.join(map(str, missing))}"
        yield _error(f"{path}.port", text, PORT_REQUIRED)


def _service(db: Reader, namespace: str, host: str) -> Service | None:
    """What a host means in a namespace: itself, or the wildcard service around it."""
    for pattern in hosts.candidates(host):
        key: ServiceKey | None = visibility_of_host(db, namespace, pattern)
        found = service(db, key) if key is not None else None
        if found is not None and found.resolution is not Resolution.ALIAS:
            return found
    return None

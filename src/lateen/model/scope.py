"""What a proxy sees of the mesh: its services, by which listener, and what happens to all else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from lateen.api.mesh.mesh_config import OutboundTrafficPolicyMode as MeshMode
from lateen.api.networking.sidecar import CaptureMode, IstioEgressListener, OutboundTrafficPolicyMode, Sidecar
from lateen.api.networking.virtual_service import Destination
from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.inputs import MESH_CONFIG, SIDECARS
from lateen.model.protocol import Protocol, declared_protocol
from lateen.model.proxy import ClientView, OutboundView
from lateen.model.service import ServiceKey
from lateen.model.services import service, services_of_host
from lateen.model.virtual_service_reach import mesh_reaches, reaches_in
from lateen.model.visibility import (
    OWN_NAMESPACE,
    Candidate,
    all_candidates,
    candidate,
    candidates_in,
    exported,
    visibility,
    winner,
)

ANY_NAMESPACE = "*"

Imports = tuple[tuple[str, tuple[str, ...]], ...]
"""Host patterns by namespace (`*` for any), sorted."""
EVERYTHING: Imports = ((ANY_NAMESPACE, ("*",)),)


class ScopeKey(NamedTuple):
    """Names a scope. Views with the same key see the same: a small argument for queries that many views share."""

    namespace: str
    """Empty where the namespace makes no difference to what is seen."""
    sidecar: Key | None


class OutboundTraffic(msgspec.Struct, frozen=True):
    """What happens to traffic for destinations that are not in scope."""

    allow_any: bool
    """It goes where it was going; otherwise it is refused."""
    egress_proxy: Destination | None = None
    """It goes to this service instead. Its host is a full name."""


class EgressListener(msgspec.Struct, frozen=True):
    """One `egress` item of a Sidecar, or the only one of those without."""

    port: int | None = None
    """None for the one that is about all ports; 0 for a unix domain socket."""
    protocol: Protocol = Protocol.UNSUPPORTED
    """HTTP_PROXY: a generic HTTP proxy, for requests to any port of the services."""
    bind: str = ""
    capture_mode: CaptureMode = CaptureMode.DEFAULT
    services: Mapping[str, ServiceKey] = {}
    """What hosts mean here, sorted by host."""
    imports: Imports = EVERYTHING

    def imports_virtual_service(self, namespace: str, names: tuple[str, ...]) -> bool:
        """Whether a VirtualService of a namespace about these (full) hosts counts here, given that it is exported to
        the proxy at all: some name must be in both."""
        if self.imports == EVERYTHING:
            return True
        return any(
            hosts.overlaps(pattern, name)
            for source, patterns in self.imports
            if source in (ANY_NAMESPACE, namespace)
            for pattern in patterns
            for name in names
        )


class Scope(msgspec.Struct, frozen=True):
    """What a proxy sees."""

    key: ScopeKey
    listeners: tuple[EgressListener, ...]
    """Those with a port first, in the Sidecar's order; then the one for all ports, if there is one."""
    services: Mapping[str, ServiceKey]
    """What hosts mean, over all listeners, sorted by host."""
    ports: Mapping[ServiceKey, tuple[int, ...]]
    """Of services that only listeners with a port see: their ports that are seen. All others are seen whole."""
    outbound: OutboundTraffic

    def sees_port(self, key: ServiceKey, port: int) -> bool:
        """Whether a port of a service (that is in `services`) is in scope."""
        limited = self.ports.get(key) if self.ports else None
        return limited is None or port in limited

    def listener_for(self, port: int, bind: str = "") -> EgressListener | None:
        """The egress listener that decides on a port (0: on the unix socket `bind`)."""
        for listener in self.listeners:
            if listener.port is None or (listener.port == port and (port != 0 or listener.bind == bind)):
                return listener
        return None


def scope(db: Reader, view: ClientView) -> Scope:
    """What a view sees. The same value for all views with the same `scope_key`."""
    return scope_of(db, scope_key(db, view))


def scope_key(db: Reader, view: ClientView) -> ScopeKey:
    """The key of a view's scope. A gateway has no Sidecar."""
    sidecar = view.sidecar if isinstance(view, OutboundView) else None
    if sidecar is not None:
        return ScopeKey(view.namespace, sidecar)
    return ScopeKey(view.namespace if differs(db, view.namespace) else "", None)


@query
def differs(db: Reader, namespace: str) -> bool:
    """Whether some host means something else in this namespace than it usually does."""
    return namespace in visibility(db).special


@query
def scope_of(db: Reader, key: ScopeKey) -> Scope:
    """What is seen in a namespace under a Sidecar."""
    found = SIDECARS.get(db, key.sidecar) if key.sidecar is not None else None
    if found is None:
        everything = visible(db, key.namespace)
        return Scope(key, (EgressListener(services=everything),), everything, {}, default_outbound_traffic(db))
    sidecar = found.spec
    listeners = tuple(_listener(db, key.namespace, egress) for egress in _egress(sidecar))
    services, ports = _union(listeners)
    return Scope(key, listeners, services, ports, _outbound_traffic(db, sidecar))


@query
def visible(db: Reader, namespace: str) -> Mapping[str, ServiceKey]:
    """What hosts mean in a namespace, by exportTo alone."""
    return visibility(db).in_namespace(namespace)


@query
def default_outbound_traffic(db: Reader) -> OutboundTraffic:
    """MeshConfig.outboundTrafficPolicy."""
    return OutboundTraffic(MESH_CONFIG.get(db).outbound_traffic_policy.mode is MeshMode.ALLOW_ANY)


@query
def imported(db: Reader, namespace: str, imports: Imports, port: int | None) -> Mapping[str, ServiceKey]:
    """What hosts mean under the `hosts` of an egress listener, for proxies of a namespace; with a port: only services
    that have it. Services behind imported VirtualServices are included, where they contend with none that is named."""
    if imports == EVERYTHING and port is None:
        return visible(db, namespace)
    by_host: dict[str, list[Candidate]] = {}
    for one in dict.fromkeys(selected(db, imports)):
        if exported(one.export_to, one.key.namespace, namespace) and _has_port(db, one.key, port):
            by_host.setdefault(one.key.hostname, []).append(one)
    found = {host: key for host, claims in by_host.items() if (key := winner(claims, namespace)) is not None}
    for host in _routed(db, namespace, imports):
        if host not in found:
            key = visibility_of_host(db, namespace, host)
            if key is not None and _has_port(db, key, port):
                found[host] = key
    return {host: found[host] for host in sorted(found)}


def visibility_of_host(db: Reader, namespace: str, host: str) -> ServiceKey | None:
    """What one host means in a namespace by exportTo alone. Depends on this host alone."""
    claims = (candidate(db, key) for key in services_of_host(db, host))
    return winner((one for one in claims if one is not None), namespace)


def selected(db: Reader, imports: Imports) -> Iterator[Candidate]:
    """The services that the patterns name, whoever sees them."""
    for source, patterns in imports:
        exact = tuple(pattern for pattern in patterns if not hosts.is_wildcard(pattern))
        wide = tuple(pattern for pattern in patterns if hosts.is_wildcard(pattern))
        for host in exact:
            for key in services_of_host(db, host):
                one = candidate(db, key) if source in (ANY_NAMESPACE, key.namespace) else None
                if one is not None:
                    yield one
        if wide:
            for one in all_candidates(db) if source == ANY_NAMESPACE else candidates_in(db, source):
                if any(hosts.covers(pattern, one.key.hostname) for pattern in wide):
                    yield one


def _has_port(db: Reader, key: ServiceKey, port: int | None) -> bool:
    if port is None:
        return True
    found = service(db, key)
    return found is not None and found.port(port) is not None


def _routed(db: Reader, namespace: str, imports: Imports) -> tuple[str, ...]:
    """The hosts behind the VirtualServices that the patterns import."""
    found: dict[str, None] = {}
    for source, patterns in imports:
        for reach in mesh_reaches(db) if source == ANY_NAMESPACE else reaches_in(db, source):
            if exported(reach.export_to, reach.namespace, namespace) and any(
                hosts.overlaps(pattern, name) for pattern in patterns for name in reach.hosts
            ):
                found |= dict.fromkeys(reach.destinations)
    return tuple(found)


def _egress(sidecar: Sidecar) -> tuple[IstioEgressListener, ...]:
    return sidecar.egress or (IstioEgressListener(hosts=("*/*",)),)


def imports_of(egress: IstioEgressListener, namespace: str) -> Imports:
    """The patterns of an egress listener by namespace, `.` resolved."""
    by_namespace: dict[str, set[str]] = {}
    for text in egress.hosts:
        source, _, pattern = text.partition("/")
        by_namespace.setdefault(namespace if source == OWN_NAMESPACE else source, set()).add(pattern)
    if "*" in by_namespace.get(ANY_NAMESPACE, ()):
        return EVERYTHING
    return tuple((source, tuple(sorted(by_namespace[source]))) for source in sorted(by_namespace))


def _listener(db: Reader, namespace: str, egress: IstioEgressListener) -> EgressListener:
    imports = imports_of(egress, namespace)
    port = egress.port
    if port is None:
        shared = namespace if imports != EVERYTHING or differs(db, namespace) else ""
        return EgressListener(
            bind=egress.bind,
            capture_mode=egress.capture_mode,
            services=imported(db, shared, imports, None),
            imports=imports,
        )
    protocol = declared_protocol(port.protocol)
    whole = port.number == 0 or protocol is Protocol.HTTP_PROXY
    return EgressListener(
        port=port.number,
        protocol=protocol,
        bind=egress.bind,
        capture_mode=egress.capture_mode,
        services=imported(db, namespace, imports, None if whole else port.number),
        imports=imports,
    )


def _union(
    listeners: tuple[EgressListener, ...],
) -> tuple[Mapping[str, ServiceKey], Mapping[ServiceKey, tuple[int, ...]]]:
    """All that the listeners see: where they differ on a host, the first decides."""
    if len(listeners) == 1 and listeners[0].port is None:
        return listeners[0].services, {}
    services: dict[str, ServiceKey] = {}
    limited: dict[ServiceKey, set[int]] = {}
    whole: set[ServiceKey] = set()
    for listener in listeners:
        for host, key in listener.services.items():
            if services.setdefault(host, key) != key:
                continue
            if listener.port and listener.protocol is not Protocol.HTTP_PROXY:
                limited.setdefault(key, set()).add(listener.port)
            else:
                whole.add(key)
    ports = {key: tuple(sorted(limited[key])) for key in sorted(limited) if key not in whole}
    return {host: services[host] for host in sorted(services)}, ports


def _outbound_traffic(db: Reader, sidecar: Sidecar) -> OutboundTraffic:
    policy = sidecar.outbound_traffic_policy
    if policy is None:
        return default_outbound_traffic(db)
    return OutboundTraffic(policy.mode is OutboundTrafficPolicyMode.ALLOW_ANY, policy.egress_proxy)

"""Where byte streams go: the filter chains of a service, as `tcp` and `tls` routes of VirtualServices and
DestinationRules have it for one client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from lateen.api.networking.virtual_service import (
    Destination,
    L4MatchAttributes,
    RouteDestination,
    TLSMatchAttributes,
)
from lateen.api.objects import Key
from lateen.engine import Reader
from lateen.model.chain_conditions import address_ranges, server_names
from lateen.model.destination_rules import ClientRules, RuleClient, Rules, rule_client
from lateen.model.effective_routes import applies, effective, source_of
from lateen.model.gateway_names import MESH
from lateen.model.inputs import VIRTUAL_SERVICES
from lateen.model.listeners import ServiceChain
from lateen.model.names import BLACK_HOLE_CLUSTER, PASSTHROUGH_CLUSTER, outbound_cluster
from lateen.model.outbound_clusters import service_clusters
from lateen.model.protocol import Protocol
from lateen.model.proxy import ClientView, GatewayView, Labels
from lateen.model.scope import ScopeKey, scope_key, scope_of
from lateen.model.service import ServiceKey
from lateen.model.services import service
from lateen.model.virtual_services import Outline, candidates_of_host


class WeightedCluster(NamedTuple):
    cluster: str
    weight: int
    """Relative to the sum; of a lone cluster without meaning."""


class Target(msgspec.Struct, frozen=True, cache_hash=True):
    """Where a byte stream goes."""

    clusters: tuple[WeightedCluster, ...]
    """At least one."""
    stat_prefix: str
    rules: Rules = ()
    """The DestinationRules whose policy connections follow: those of the first destination."""
    port: int = 0
    """Of that destination."""
    subset: str = ""
    service: ServiceKey | None = None
    """Where there is one destination alone: its service."""


class StreamChain(msgspec.Struct, frozen=True, cache_hash=True):
    """One filter chain that forwards bytes."""

    target: Target
    protocol: Protocol
    prefixes: tuple[str, ...] = ()
    """Destination address ranges; empty for any."""
    server_names: tuple[str, ...] = ()
    """Server names (SNI); empty for any."""
    source: Key | None = None
    """The VirtualService it is from."""


def to_cluster(cluster: str) -> Target:
    """Everything to one cluster, under its name in statistics."""
    return Target((WeightedCluster(cluster, 1),), cluster)


BLACK_HOLE = to_cluster(BLACK_HOLE_CLUSTER)
"""Connections that are refused."""

_Match = TLSMatchAttributes | L4MatchAttributes


class StreamClient(NamedTuple):
    """A client as far as it makes a difference to where its byte streams go: most namespaces share theirs."""

    scope: ScopeKey
    rules: RuleClient
    namespace: str
    """Empty where no VirtualService routes byte streams."""
    labels: Labels
    is_gateway: bool


def stream_client(db: Reader, view: ClientView) -> StreamClient:
    """A client without what makes no difference."""
    is_gateway = isinstance(view, GatewayView)
    routed = is_gateway or bool(VIRTUAL_SERVICES.where(db, "routes_streams", True))
    return StreamClient(
        scope_key(db, view),
        rule_client(db, view.namespace, view.labels),
        view.namespace if routed else "",
        view.labels if routed else (),
        is_gateway,
    )


class Streams:
    """Finds where one client's byte streams go. Lives inside one query."""

    def __init__(self, db: Reader, client: StreamClient) -> None:
        self._db = db
        self._client = client
        self._scope = scope_of(db, client.scope)
        self._rules = ClientRules(db, client.rules)

    def unknown(self) -> Target:
        """Where goes what no listener knows (outboundTrafficPolicy)."""
        policy = self._scope.outbound
        if not policy.allow_any:
            return BLACK_HOLE
        if policy.egress_proxy is None:
            return to_cluster(PASSTHROUGH_CLUSTER)
        return self.target((RouteDestination(destination=policy.egress_proxy),), 0, "")

    def chains(self, chain: ServiceChain, listen_port: int) -> Iterator[StreamChain]:
        """The filter chains of a service on a listener: those of VirtualServices, then the one straight to the service.

        Of equal conditions the first counts. `listen_port` is 0 on a unix socket, where addresses tell nothing.
        """
        seen: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()
        routed = self._tls(chain, listen_port) if chain.protocol.is_tls else self._tcp(chain, listen_port)
        for found in routed:
            condition = (found.prefixes, found.server_names)
            if condition not in seen:
                seen.add(condition)
                yield found
            if condition == (chain.prefixes, ()):
                return
        if chain.protocol.is_tls and seen:
            return
        if (chain.prefixes, chain.server_names) not in seen:
            hostname = chain.service.hostname
            rules = self._rules.of(hostname, chain.service.namespace)
            name = outbound_cluster(chain.port, "", hostname)
            cluster = name if self._has_port(chain.service, chain.port) else BLACK_HOLE_CLUSTER
            target = Target((WeightedCluster(cluster, 1),), name, rules, chain.port, service=chain.service)
            yield StreamChain(target, chain.protocol, chain.prefixes, chain.server_names)

    def _has_port(self, key: ServiceKey, number: int) -> bool:
        """An egress listener of a Sidecar may be for a port that a service does not have."""
        found = service(self._db, key)
        port = found.port(number) if found is not None else None
        return port is not None and port.protocol is not Protocol.UDP and self._scope.sees_port(key, number)

    def _tls(self, chain: ServiceChain, listen_port: int) -> Iterator[StreamChain]:
        for one in self._virtual_services(chain, tls=True):
            found = effective(self._db, one.key)
            for route in found.tls if found is not None else ():
                for match in route.match:
                    names = server_names(match.sni_hosts)
                    if names and self._applies(one, match, listen_port):
                        prefixes = address_ranges(match.destination_subnets) if listen_port else ()
                        target = self.target(route.route, chain.port, f"{one.key.name}.{one.key.namespace}")
                        yield StreamChain(target, chain.protocol, prefixes or chain.prefixes, names, one.key)

    def _tcp(self, chain: ServiceChain, listen_port: int) -> Iterator[StreamChain]:
        for one in self._virtual_services(chain, tls=False):
            found = effective(self._db, one.key)
            for route in found.tcp if found is not None else ():
                matches = [match for match in route.match if self._applies(one, match, listen_port)]
                if route.match and not matches:
                    continue
                target = self.target(route.route, chain.port, f"{one.key.name}.{one.key.namespace}")
                if not matches or not listen_port or any(not match.destination_subnets for match in matches):
                    yield StreamChain(target, chain.protocol, chain.prefixes, (), one.key)
                    return
                subnets = address_ranges(subnet for match in matches for subnet in match.destination_subnets)
                yield StreamChain(target, chain.protocol, subnets, (), one.key)

    def _virtual_services(self, chain: ServiceChain, *, tls: bool) -> Iterable[Outline]:
        """Those that route the service's byte streams, those for the closest host first."""
        if not self._client.namespace:
            return ()
        candidates = candidates_of_host(self._db, chain.service.hostname.lower())
        if not candidates:
            return ()
        listener = self._scope.listeners[chain.egress]
        namespace = self._client.namespace
        found = [
            each
            for each in candidates
            if (each.outline.has_tls if tls else each.outline.has_tcp)
            and each.outline.is_seen_from(namespace)
            and listener.imports_virtual_service(each.outline.key.namespace, each.outline.hosts)
        ]
        found.sort(key=lambda each: (each.specificity, each.outline.rank(namespace)))
        return [each.outline for each in found]

    def _applies(self, one: Outline, match: _Match, listen_port: int) -> bool:
        if match.port not in (0, listen_port):
            return False
        source = source_of(self._db, one.key, self._client.namespace, self._client.labels)
        return applies(match, source, MESH)

    def target(self, routes: tuple[RouteDestination, ...], port: int, several: str) -> Target:
        """Where a route leads. `port` is that of destinations which name none and have several; `several` is what
        statistics call a route with several destinations. What does not exist is refused."""
        weighted = [each for each in routes if each.weight > 0] if len(routes) > 1 else list(routes)
        if not weighted:
            return BLACK_HOLE
        resolved = [self._destination(each.destination, port) for each in weighted]
        first_name, first_port, first_rules, _ = resolved[0]
        subset = weighted[0].destination.subset
        clusters = tuple(
            WeightedCluster(name if exists else BLACK_HOLE_CLUSTER, each.weight)
            for each, (name, _, _, exists) in zip(weighted, resolved, strict=True)
        )
        if len(clusters) > 1:
            return Target(clusters, several, first_rules, first_port, subset)
        key = self._scope.services.get(weighted[0].destination.host)
        return Target(clusters, first_name, first_rules, first_port, subset, key)

    def _destination(self, destination: Destination, port: int) -> tuple[str, int, Rules, bool]:
        """The cluster of a destination, its port and rules, and whether the client has that cluster."""
        key = self._scope.services.get(destination.host)
        found = service(self._db, key) if key is not None else None
        if destination.port is not None:
            port = destination.port.number
        elif found is not None and len(found.ports) == 1:
            port = found.ports[0].port
        name = outbound_cluster(port, destination.subset, destination.host)
        if key is None:
            return name, port, (), False
        rules = self._rules.of(destination.host, key.namespace)
        clusters = service_clusters(self._db, key, rules, self._client.is_gateway)
        exists = self._scope.sees_port(key, port) and any(cluster.name == name for cluster in clusters)
        return name, port, rules, exists

"""The routes of a VirtualService as they count: names in full, delegates merged in, and what they ask of the client."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from lateen.api.networking.virtual_service import (
    Destination,
    HTTPMatchRequest,
    HTTPRoute,
    L4MatchAttributes,
    RouteDestination,
    TCPRoute,
    TLSMatchAttributes,
    TLSRoute,
    VirtualService,
)
from lateen.api.objects import Key, ObjectRef
from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.delegation import merged
from lateen.model.fault import ConfigError
from lateen.model.gateway_names import MESH, full_gateway_name
from lateen.model.inputs import DOMAIN, VIRTUAL_SERVICES
from lateen.model.proxy import Labels
from lateen.model.virtual_services import outline

KIND = "VirtualService"


class Source(NamedTuple):
    """A client, as far as the matches of a VirtualService ask for it: clients they cannot tell apart are equal."""

    namespace: str = ""
    """Empty for all that no match asks for."""
    labels: Labels = ()


class Target(NamedTuple):
    """A destination, with its names in full."""

    host: str
    subset: str = ""
    port: int = 0
    """0 when left out."""


def target(destination: Destination) -> Target:
    number = destination.port.number if destination.port is not None else 0
    return Target(destination.host, destination.subset, number)


class Outlook(msgspec.Struct, frozen=True, gc=False):
    """What the routes of a VirtualService, its delegates' included, ask of clients."""

    labels: tuple[str, ...] = ()
    """Keys of labels of clients that matches ask for, sorted."""
    namespaces: tuple[str, ...] = ()
    """Those that matches tell from others, sorted."""


def source_of(db: Reader, key: Key, namespace: str, labels: Labels) -> Source:
    """A client in a namespace with these labels, to one VirtualService."""
    if not namespace and not labels:
        return _ANYBODY
    asked = outlook(db, key)
    if not asked.labels and not asked.namespaces:
        return _ANYBODY
    known = namespace if namespace in asked.namespaces else ""
    return Source(known, tuple(pair for pair in labels if pair[0] in asked.labels))


@query
def outlook(db: Reader, key: Key) -> Outlook:
    """Stays the same when the routes of a VirtualService change in other respects."""
    found = effective(db, key)
    if found is None:
        return Outlook()
    labels: set[str] = set()
    namespaces: set[str] = set()
    for match in found.matches:
        labels.update(match.source_labels)
        if match.source_namespace:
            namespaces.add(match.source_namespace)
    return Outlook(tuple(sorted(labels)), tuple(sorted(namespaces)))


@query
def routed_namespaces(db: Reader) -> frozenset[str]:
    """The namespaces of clients that some VirtualService for sidecars tells from others: to all others, all are one."""
    found: set[str] = set()
    for key in VIRTUAL_SERVICES.where(db, "gateway", MESH):
        one = outline(db, key)
        if one is not None:
            found |= one.export_to
    for key in VIRTUAL_SERVICES.where(db, "asks_for_clients", True):
        found.update(outlook(db, key).namespaces)
    return frozenset(found - {"*"})


_ANYBODY = Source()

Match = HTTPMatchRequest | TLSMatchAttributes | L4MatchAttributes


def applies(match: Match, source: Source, gateway: str) -> bool:
    """Whether a match can hold for a client of a gateway (`namespace/name`, or `mesh` for sidecars).

    A match that names gateways asks for nothing else of the client.
    """
    if match.gateways:
        return gateway in match.gateways
    if not match.source_labels and not match.source_namespace:
        return True
    have = dict(source.labels)
    return match.source_labels.items() <= have.items() and match.source_namespace in ("", source.namespace)


@query
def effective(db: Reader, key: Key) -> VirtualService | None:
    """The VirtualService with all names in its routes in full, and the routes of delegates in the place of those that
    delegate.

    Routes whose delegate is missing or refused are left out; `delegated_routes` says why. Its hosts and gateways are as
    written: `outline` has them in full.
    """
    found = VIRTUAL_SERVICES.get(db, key)
    if found is None:
        return None
    names = _Names(found.metadata.namespace, DOMAIN.get(db))
    spec = found.spec
    http: list[HTTPRoute] = []
    for index, route in enumerate(spec.http):
        if route.delegate is None:
            http.append(names.http(route))
            continue
        try:
            http += delegated_routes(db, key, index)
        except ConfigError:
            continue
    return msgspec.structs.replace(
        spec,
        http=tuple(http),
        tls=tuple([names.tls(route) for route in spec.tls]),
        tcp=tuple([names.tcp(route) for route in spec.tcp]),
    )


@query
def delegated_routes(db: Reader, key: Key, index: int) -> tuple[HTTPRoute, ...]:
    """The routes of the delegate of one HTTP route, merged into it. Those whose matches conflict are left out.

    Raises ConfigError when the delegate is missing, has hosts of its own, is not exported to the root's namespace, or
    delegates in its turn (which a circle of delegates would need).
    """
    root = VIRTUAL_SERVICES.get(db, key)
    if root is None or index >= len(root.spec.http) or (reference := root.spec.http[index].delegate) is None:
        return ()
    namespace = reference.namespace or root.metadata.namespace
    delegate = VIRTUAL_SERVICES.get(db, Key(namespace, reference.name, key.cluster))

    def refuse(why: str) -> ConfigError:
        where = f"{namespace}/{reference.name}"
        return ConfigError(ObjectRef(KIND, key), f"spec.http[{index}].delegate", f"VirtualService {where} {why}")

    if delegate is None:
        raise refuse("does not exist: the route is left out")
    if delegate.spec.hosts:
        raise refuse("has hosts of its own, so it is no delegate: the route is left out")
    where = outline(db, delegate.key)
    if where is None or not where.is_seen_from(root.metadata.namespace):
        raise refuse(f"is not exported to namespace {root.metadata.namespace}: the route is left out")
    if any(route.delegate is not None for route in delegate.spec.http):
        raise refuse("delegates in its turn, and only one level is supported: the route is left out")
    domain = DOMAIN.get(db)
    wide = _Names(root.metadata.namespace, domain).http(root.spec.http[index])
    names = _Names(namespace, domain)
    routes = (merged(wide, names.http(route)) for route in delegate.spec.http)
    return tuple(route for route in routes if route is not None)


def destinations(db: Reader, key: Key) -> tuple[Target, ...]:
    """All that the routes of a VirtualService send traffic to, mirrors included, sorted."""
    found = effective(db, key)
    if found is None:
        return ()
    named: list[Destination] = []
    for http in found.http:
        named += [each.destination for each in http.route]
        named += [http.mirror] if http.mirror is not None else [mirror.destination for mirror in http.mirrors]
    streams: tuple[TLSRoute | TCPRoute, ...] = (*found.tls, *found.tcp)
    for stream in streams:
        named += [each.destination for each in stream.route]
    return tuple(sorted(set(map(target, named))))


class _Names:
    """Makes full names of those that a resource in a namespace writes."""

    def __init__(self, namespace: str, domain: str) -> None:
        self.namespace = namespace
        self._domain = domain

    def host(self, name: str) -> str:
        return hosts.resolved(name, self.namespace, self._domain)

    def http(self, route: HTTPRoute) -> HTTPRoute:
        if self._is_full(route):
            return route
        return msgspec.structs.replace(
            route,
            match=tuple(
                msgspec.structs.replace(match, gateways=self._gateways(match)) if match.gateways else match
                for match in route.match
            ),
            route=tuple(
                msgspec.structs.replace(each, destination=self._destination(each.destination)) for each in route.route
            ),
            mirror=self._destination(route.mirror) if route.mirror is not None else None,
            mirrors=tuple(
                msgspec.structs.replace(each, destination=self._destination(each.destination)) for each in route.mirrors
            ),
        )

    def _is_full(self, route: HTTPRoute) -> bool:
        """Whether all names are in full already, as is usual."""
        if route.mirror is not None or route.mirrors:
            return False
        for match in route.match:
            if match.gateways:
                return False
        for each in route.route:
            host = each.destination.host
            if "." not in host or not host.islower():
                return False
        return True

    def tls(self, route: TLSRoute) -> TLSRoute:
        return msgspec.structs.replace(
            route,
            match=tuple(msgspec.structs.replace(match, gateways=self._gateways(match)) for match in route.match),
            route=self._routes(route.route),
        )

    def tcp(self, route: TCPRoute) -> TCPRoute:
        return msgspec.structs.replace(
            route,
            match=tuple(msgspec.structs.replace(match, gateways=self._gateways(match)) for match in route.match),
            route=self._routes(route.route),
        )

    def _gateways(self, match: Match) -> tuple[str, ...]:
        return tuple(full_gateway_name(name, self.namespace) for name in match.gateways)

    def _destination(self, given: Destination) -> Destination:
        host = self.host(given.host).lower()
        return given if host == given.host else msgspec.structs.replace(given, host=host)

    def _routes(self, given: tuple[RouteDestination, ...]) -> tuple[RouteDestination, ...]:
        return tuple(msgspec.structs.replace(each, destination=self._destination(each.destination)) for each in given)

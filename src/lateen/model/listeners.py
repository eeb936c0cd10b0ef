"""Which listeners the services of a scope need, and what shares one: the plan of a sidecar's outbound side.

- HTTP services share one listener per port (at every address), where routes tell them apart. Byte streams have a
  listener at their own virtual address, or a filter chain in the shared one (by address range or server name).
- A port that nobody declared is both: the proxy looks at the first bytes. So is a port where HTTP and byte streams
  meet.
- Of two services that nothing tells apart the older one wins, and the other is reported.

Plans depend on services, never on their endpoints; headless services are the exception, which have no other address.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from lateen.api.networking.sidecar import CaptureMode
from lateen.engine import Reader, query
from lateen.model.chain_conditions import address_ranges, server_names
from lateen.model.inputs import SIDECARS
from lateen.model.listen_form import ListenForm
from lateen.model.names import outbound_route, sniffed_route
from lateen.model.protocol import Protocol
from lateen.model.proxy_ports import proxy_ports
from lateen.model.scope import EgressListener, ScopeKey, scope_of
from lateen.model.service import Resolution, Service, ServiceKey, ServicePort
from lateen.model.service_addresses import has_no_address, headless_addresses, of_families, virtual_addresses
from lateen.model.services import aliases, service

UNIX = "unix://"
_SERVER_FIRST = frozenset({Protocol.MYSQL, Protocol.MONGO})
_LOWEST_PORT = 1024
_ALL_SERVICES = ServiceKey("*", "")


class ServiceChain(msgspec.Struct, frozen=True, cache_hash=True):
    """Byte streams of one service."""

    service: ServiceKey
    port: int
    """Of the service, as its clusters are named."""
    protocol: Protocol
    egress: int
    """Position among the scope's egress listeners: what that one imports is what routes it."""
    prefixes: tuple[str, ...] = ()
    """Destination address ranges by which the chain is chosen; empty for any."""
    server_names: tuple[str, ...] = ()
    """Server names (SNI) by which the chain is chosen; empty for any."""


class HttpChain(msgspec.Struct, frozen=True, cache_hash=True):
    """HTTP, told apart by routes."""

    route_name: str
    sniffed: bool = False
    """Only for what looks like HTTP."""
    announced: bool = False
    """The other side is told (by ALPN) that this is HTTP, for it cannot know."""
    is_proxy: bool = False
    """Requests with absolute URLs (a generic HTTP proxy)."""
    grpc_web: bool = False


class PlannedListener(msgspec.Struct, frozen=True, cache_hash=True):
    """One outbound listener, before VirtualServices and DestinationRules have their say."""

    addresses: tuple[str, ...]
    """The first gives it its name; a unix socket is `unix://PATH`."""
    port: int
    """0 for a unix socket."""
    binds: bool
    """Opens a socket; otherwise redirected connections are handed to it."""
    http: HttpChain | None = None
    streams: tuple[ServiceChain, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.addresses[0]}_{self.port}"


class ListenerConflict(msgspec.Struct, frozen=True):
    """A service's port that has no listener of its own because of another service."""

    service: ServiceKey
    port: int
    other: ServiceKey | None
    """None when it is a socket of the proxy itself."""
    reason: str


class OutboundPlan(msgspec.Struct, frozen=True):
    listeners: tuple[PlannedListener, ...] = ()
    """Sorted by name."""
    conflicts: tuple[ListenerConflict, ...] = ()


@query
def outbound_plan(db: Reader, key: ScopeKey, form: ListenForm) -> OutboundPlan:
    """The outbound listeners of a scope, for proxies of a form."""
    plan = _Plan(db, key, form)
    for index, listener in enumerate(scope_of(db, key).listeners):
        plan.add(index, listener)
    return plan.finished()


class _Entry:
    """A listener while services are added to it."""

    __slots__ = (
        "addresses",
        "binds",
        "has_external",
        "has_undeclared",
        "http",
        "is_shared",
        "locked",
        "owners",
        "streams",
    )

    def __init__(self, addresses: tuple[str, ...], binds: bool, is_shared: bool) -> None:
        self.addresses = addresses
        self.binds = binds
        self.is_shared = is_shared
        self.http: HttpChain | None = None
        self.streams: list[ServiceChain] = []
        self.owners: dict[tuple[str, str], ServiceKey] = {}
        self.locked = False
        self.has_undeclared = False
        """HTTP is looked for on a port of a service of the mesh, which the other side has to look for as well."""
        self.has_external = False
        """HTTP goes to services outside of the mesh too, which must not be bothered with the mesh's ALPN."""

    def http_chain(self) -> HttpChain | None:
        announced = self.has_undeclared and not self.has_external
        return msgspec.structs.replace(self.http, announced=True) if self.http is not None and announced else self.http


class _Place(NamedTuple):
    """Where a service's port is listened for."""

    addresses: tuple[str, ...]
    is_shared: bool
    """Other services are listened for there too."""
    prefix: str = ""


class _Plan:
    def __init__(self, db: Reader, key: ScopeKey, form: ListenForm) -> None:
        self._db = db
        self._form = form
        self._egress = 0
        self._own = proxy_ports(db)
        self._ingress = _ingress_sockets(db, key)
        self._entries: dict[tuple[str, int], _Entry] = {}
        self._conflicts: list[ListenerConflict] = []

    def add(self, index: int, listener: EgressListener) -> None:
        """Adds what an egress listener asks for."""
        self._egress = index
        binds = self._binds(listener)
        fixed = self._fixed(listener, binds)
        if listener.port is not None:
            self._add_port(listener, listener.port, binds, fixed)
            return
        # What listeners with a port have taken is theirs alone.
        for entry in self._entries.values():
            entry.locked = True
        for found in self._services(listener):
            for port in found.ports:
                self._add_service(found, port.port, port, binds, fixed)

    def finished(self) -> OutboundPlan:
        listeners = (
            PlannedListener(entry.addresses, port, entry.binds, entry.http_chain(), tuple(entry.streams))
            for (_, port), entry in self._entries.items()
            if entry.http is not None or entry.streams
        )
        conflicts = sorted(self._conflicts, key=lambda each: (each.service, each.port))
        return OutboundPlan(tuple(sorted(listeners, key=lambda each: each.name)), tuple(conflicts))

    def _binds(self, listener: EgressListener) -> bool:
        return (
            not self._form.captured
            or listener.capture_mode is CaptureMode.NONE
            or (listener.port is not None and listener.bind.startswith(UNIX))
        )

    def _fixed(self, listener: EgressListener, binds: bool) -> tuple[str, ...]:
        """Addresses that do not depend on the service; empty when they do."""
        if listener.bind:
            return (listener.bind,)
        return self._form.loopbacks if binds else ()

    def _services(self, listener: EgressListener) -> list[Service]:
        """The services of an egress listener, the oldest first."""
        found = (service(self._db, key) for key in listener.services.values())
        usable = (each for each in found if each is not None and each.resolution is not Resolution.ALIAS)
        return sorted(usable, key=lambda each: (each.created, each.key))

    def _add_port(self, listener: EgressListener, port: int, binds: bool, fixed: tuple[str, ...]) -> None:
        """An egress listener with a port of its own, whatever ports its services have."""
        if listener.protocol is Protocol.HTTP_PROXY:
            addresses = fixed or self._form.wildcards
            if binds and not self._can_bind(_ALL_SERVICES, port, addresses[0]):
                return
            entry = self._entries.setdefault((addresses[0], port), _Entry(addresses, binds, True))
            entry.http = HttpChain(outbound_route(port, addresses[0]), is_proxy=True)
            return
        for found in self._services(listener):
            # A service with several ports is meant to be routed by a VirtualService.
            number = found.ports[0].port if len(found.ports) == 1 else port
            self._add_service(found, port, ServicePort("", number, listener.protocol), binds, fixed)

    def _add_service(
        self, found: Service, listen_port: int, port: ServicePort, binds: bool, fixed: tuple[str, ...]
    ) -> None:
        if port.protocol is Protocol.UDP:
            return
        if not port.protocol.is_http and not fixed and has_no_address(found, self._form):
            addresses = headless_addresses(self._db, found.key, port.port)
            if addresses or found.is_kubernetes or found.selects:
                for address in of_families(addresses, self._form):
                    self._add_at(found, listen_port, port, binds, _Place((address,), False))
                return
        for place in self._places(found, port, fixed):
            self._add_at(found, listen_port, port, binds, place)

    def _places(self, found: Service, port: ServicePort, fixed: tuple[str, ...]) -> Iterator[_Place]:
        if fixed:
            yield _Place(fixed, True)
            return
        own = () if port.protocol.is_http else virtual_addresses(found, self._form)
        if not own:
            yield _Place(self._form.wildcards, True)
        for address in own:
            if "/" in address:
                for range_ in address_ranges((address,)):
                    yield _Place(self._form.wildcards, True, range_)
            else:
                yield _Place((address,), False)

    def _add_at(self, found: Service, listen_port: int, port: ServicePort, binds: bool, place: _Place) -> None:
        if binds and not self._can_bind(found.key, listen_port, place.addresses[0]):
            return
        key = (place.addresses[0], listen_port)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(place.addresses, binds, place.is_shared)
        elif entry.locked:
            return
        if port.protocol.is_http or port.protocol.is_sniffed:
            self._add_http(entry, found, listen_port, port)
        if not port.protocol.is_http:
            self._add_stream(entry, found, listen_port, port, place)

    def _can_bind(self, key: ServiceKey, port: int, address: str) -> bool:
        if not port:
            return True
        if port < _LOWEST_PORT and not self._form.privileged_ports:
            reason = f"the proxy may not bind port {port}, below {_LOWEST_PORT}"
        elif address in self._form.wildcards and port in self._own.reserved:
            reason = f"port {port} is the proxy's own"
        elif address in self._form.loopbacks and port == self._own.http_proxy:
            reason = f"port {port} is the proxy's own (proxyHttpPort)"
        elif (address, port) in self._ingress:
            reason = f"{address}:{port} is taken by an ingress listener of the Sidecar"
        else:
            return True
        self._conflicts.append(ListenerConflict(key, port, None, reason))
        return False

    def _add_http(self, entry: _Entry, found: Service, listen_port: int, port: ServicePort) -> None:
        entry.has_external = entry.has_external or found.mesh_external
        entry.has_undeclared = entry.has_undeclared or (port.protocol.is_sniffed and not found.mesh_external)
        grpc_web = port.protocol is Protocol.GRPC_WEB
        if entry.http is not None:
            if grpc_web and not entry.http.grpc_web:
                entry.http = msgspec.structs.replace(entry.http, grpc_web=True)
            return
        taken = next((chain for chain in entry.streams if chain.protocol in _SERVER_FIRST), None)
        if taken is not None:
            reason = f"{taken.protocol.value} on the same port speaks first: the proxy cannot look for HTTP there"
            self._conflicts.append(ListenerConflict(found.key, listen_port, taken.service, reason))
            return
        alone = not entry.is_shared and port.protocol.is_sniffed
        if alone:
            route = sniffed_route(found.hostname, listen_port)
        else:
            route = outbound_route(listen_port, entry.addresses[0])
        sniffed = bool(entry.streams) or port.protocol.is_sniffed or entry.addresses == self._form.wildcards
        entry.http = HttpChain(route, sniffed, grpc_web=grpc_web)

    def _add_stream(self, entry: _Entry, found: Service, listen_port: int, port: ServicePort, place: _Place) -> None:
        if entry.http is not None and port.protocol in _SERVER_FIRST:
            reason = f"{port.protocol.value} speaks first: it cannot share port {listen_port} with HTTP"
            self._conflicts.append(ListenerConflict(found.key, listen_port, None, reason))
            return
        prefixes = (place.prefix,) if place.prefix else ()
        names: tuple[str, ...] = ()
        if port.protocol.is_tls:
            first = entry.streams[0] if entry.streams else None
            # Where the address tells nothing, the server name is the only thing that does. What resolves whatever it is
            # named is for the service's names alone.
            if (
                entry.addresses == self._form.wildcards
                or found.resolution is Resolution.DYNAMIC_DNS
                or (first is not None and self._tell_by_name(entry, first, found))
            ):
                names = self._server_names(found.hostname)
                if not names:
                    reason = f"{found.hostname} cannot be told by server name: its wildcard is not a whole label"
                    self._conflicts.append(ListenerConflict(found.key, listen_port, None, reason))
                    return
        matches = [(prefix, name) for prefix in prefixes or ("",) for name in names or ("",)]
        for match in matches:
            other = entry.owners.get(match)
            if other is not None:
                if other != found.key:
                    reason = f"{other.hostname} has the same address and port {listen_port}, and is older"
                    self._conflicts.append(ListenerConflict(found.key, listen_port, other, reason))
                return
        entry.owners.update(dict.fromkeys(matches, found.key))
        entry.streams.append(ServiceChain(found.key, port.port, port.protocol, self._egress, prefixes, names))
        if entry.http is not None and not entry.http.sniffed:
            entry.http = msgspec.structs.replace(entry.http, sniffed=True)

    def _tell_by_name(self, entry: _Entry, first: ServiceChain, found: Service) -> bool:
        """Whether services of TLS without addresses share a listener that is not at every address. The first had it
        all until the second came."""
        if not entry.is_shared or not first.protocol.is_tls or not self._is_elsewhere(found):
            return False
        if first.server_names:
            return True
        owner = service(self._db, first.service)
        names = self._server_names(first.service.hostname)
        if first.service == found.key or owner is None or not self._is_elsewhere(owner) or not names:
            return False
        entry.streams[0] = msgspec.structs.replace(first, server_names=names)
        entry.owners = {("", name): first.service for name in names}
        return True

    def _is_elsewhere(self, found: Service) -> bool:
        return not found.is_kubernetes and not virtual_addresses(found, self._form)

    def _server_names(self, hostname: str) -> tuple[str, ...]:
        return server_names((hostname, *aliases(self._db, hostname)))


def _ingress_sockets(db: Reader, key: ScopeKey) -> frozenset[tuple[str, int]]:
    """Addresses and ports that a Sidecar binds for its workload."""
    sidecar = SIDECARS.get(db, key.sidecar) if key.sidecar is not None else None
    if sidecar is None:
        return frozenset()
    return frozenset((each.bind, each.port.number) for each in sidecar.spec.ingress if each.bind)

"""Which virtual hosts a sidecar's route configurations have, in blocks that views share.

All that is the client's own is resolved here; what is made of it (`block_part`) is shared by all clients. A block is a
few services of one namespace on one port, so that a change of one service or VirtualService touches few of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from zlib import crc32

import msgspec

from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.domains import Claim, Form, Owners, alias_names, contested, home
from lateen.model.effective_routes import routed_namespaces
from lateen.model.gateway_names import MESH
from lateen.model.inputs import DOMAIN
from lateen.model.protocol import Protocol
from lateen.model.proxy import Labels, OutboundView
from lateen.model.route_targets import Holder, holder, missing_clusters
from lateen.model.scope import ANY_NAMESPACE, EgressListener, ScopeKey, scope_of
from lateen.model.selecting_labels import projected, source_labels
from lateen.model.service import Resolution, ServiceKey
from lateen.model.services import service, unaliased
from lateen.model.virtual_services import (
    Outline,
    candidates_of_host,
    chosen,
    chosen_of_host,
    routed_hosts,
    wildcard_virtual_services,
)
from lateen.translate.routes.route_table import Block
from lateen.translate.routes.routings import Routings
from lateen.translate.routes.settings import AddedHeaders, added_headers
from lateen.translate.routes.virtual_hosts import DomainForm, VirtualHost

_HTTP = 80
"""Hosts without a service are reached here."""
_WIDE = "*"
_SHARE = 32
"""Services that a block has at most on average."""


class Client(NamedTuple):
    """A sidecar as far as it makes a difference to its virtual hosts."""

    holder: Holder
    namespace: str
    """Empty for all that no VirtualService tells from others."""
    labels: Labels
    headers: AddedHeaders


class Place(NamedTuple):
    """A port of a listener of a client."""

    client: Client
    listener: int
    """Index among the scope's."""
    port: int
    form: DomainForm


Dropped = tuple[str, str]
"""A domain that another virtual host has, and the namespace whose clients alone know it, if any."""
Drops = tuple[tuple[str, tuple[Dropped, ...]], ...]
"""By host."""
Losses = tuple[tuple[Key, tuple[str, ...]], ...]
"""By VirtualService: clusters of its routes that the client does not have."""


def route_client(db: Reader, view: OutboundView) -> Client:
    """A view without what makes no difference here."""
    namespace = view.namespace if view.namespace in routed_namespaces(db) else ""
    labels = projected(view.labels, source_labels(db))
    return Client(holder(db, view), namespace, labels, added_headers(db, view.traits.settings))


@query
def http_ports(db: Reader, scope: ScopeKey, listener: int) -> Mapping[int, tuple[tuple[ServiceKey, ...], ...]]:
    """The services that speak HTTP (or nobody knows what) on each port of a listener, in shares that make a block.

    Those of a share have the same namespace in their hosts, or are none of Kubernetes.
    """
    egress = scope_of(db, scope).listeners[listener]
    domain = DOMAIN.get(db)
    found: dict[int, dict[str, list[ServiceKey]]] = {}
    for host, key in egress.services.items():
        one = service(db, key)
        if one is None or one.resolution is Resolution.ALIAS:
            continue
        namespace = home(host, domain)
        for port in one.ports:
            if (port.protocol.is_http or port.protocol.is_sniffed) and _listens(egress, port.port):
                found.setdefault(port.port, {}).setdefault(namespace, []).append(key)
    return {
        port: tuple(share for space in sorted(found[port]) for share in _shares(found[port][space]))
        for port in sorted(found)
    }


def _shares(keys: list[ServiceKey]) -> list[tuple[ServiceKey, ...]]:
    """Services in shares, which stay the same but for one when a service comes or goes (or nearly so: as many services
    again have each share split in two)."""
    number = 1
    while len(keys) > number * _SHARE:
        number *= 2
    shares: list[list[ServiceKey]] = [[] for _ in range(number)]
    for key in keys:
        shares[crc32(key.hostname.encode()) % number if number > 1 else 0].append(key)
    return [tuple(share) for share in shares if share]


def _listens(egress: EgressListener, port: int) -> bool:
    return egress.port in (None, 0, port) or egress.protocol is Protocol.HTTP_PROXY


def blocks(db: Reader, place: Place, namespace: str) -> Iterator[Block]:
    """The virtual hosts of a port, for clients of a namespace."""
    ports = http_ports(db, place.client.holder.scope, place.listener)
    names = alias_names(db)
    dropped = dropped_domains(db, place)
    for keys in ports.get(place.port, ()):
        bare = namespace if _is_home(db, namespace, keys, names) else ""
        yield service_block(
            db,
            place,
            keys,
            bare,
            _of(dropped, (key.hostname for key in keys)),
            _lost(db, place, [key.hostname for key in keys]),
        )
    extra = extra_hosts(db, place)
    if extra:
        domain = DOMAIN.get(db)
        bare = namespace if any(home(host, domain) == namespace for host, _ in extra) else ""
        losses = _lost(db, place, (host for host, _ in extra))
        yield extra_block(db, place, bare, _of(dropped, (host for host, _ in extra)), losses)


def _of(dropped: Mapping[str, tuple[Dropped, ...]], names: Iterable[str]) -> Drops:
    return tuple((name, dropped[name]) for name in names if name in dropped) if dropped else ()


def _lost(db: Reader, place: Place, names: Iterable[str]) -> Losses:
    """Of VirtualServices that may route some of these hosts."""
    found = lost_clusters(db, place)
    if not found:
        return ()
    exact = [loss for name in names for loss in found.get(name, ())]
    return tuple(dict.fromkeys([*exact, *found.get(_WIDE, ())]))


def _is_home(db: Reader, namespace: str, keys: tuple[ServiceKey, ...], names: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether some of these services, which are all of one namespace, go by names of a namespace."""
    domain = DOMAIN.get(db)
    if home(keys[0].hostname, domain) == namespace:
        return True
    return bool(names) and any(
        home(alias, domain) == namespace for key in keys for alias in names.get(key.hostname, ())
    )


@query
def service_block(
    db: Reader, place: Place, keys: tuple[ServiceKey, ...], bare: str, dropped: Drops, lost: Losses
) -> Block:
    """The virtual hosts of some services. `bare` is the namespace whose services go by their names alone, if any."""
    resolver = _Resolver(db, place, bare, dropped, lost)
    return Block(tuple([resolver.of_service(key) for key in keys]))


@query
def extra_block(db: Reader, place: Place, bare: str, dropped: Drops, lost: Losses) -> Block:
    """The virtual hosts of hosts that have no service there."""
    resolver = _Resolver(db, place, bare, dropped, lost)
    return Block(tuple([resolver.of_host(host, key) for host, key in extra_hosts(db, place)]))


@query
def egress_settings(db: Reader, scope: ScopeKey, listener: int) -> EgressListener:
    """A listener without its services: stays the same when services come and go."""
    return msgspec.structs.replace(scope_of(db, scope).listeners[listener], services={})


@query
def lost_clusters(db: Reader, place: Place) -> Mapping[str, Losses]:
    """By host: the clusters that VirtualServices name for it and the client does not have. Nearly always empty.

    All that is for wildcards is together under one key.
    """
    routed = routed_hosts(db)
    here = http_ports(db, place.client.holder.scope, place.listener).get(place.port, ())
    wide = wildcard_virtual_services(db).outlines.values()
    relevant = [(key.hostname, one.key) for keys in here for key in keys for one in routed.get(key.hostname, ())]
    relevant += extra_hosts(db, place)
    relevant += [(_WIDE, one.key) for outlines in wide for one in outlines]
    found: dict[str, dict[Key, tuple[str, ...]]] = {}
    for host, key in relevant:
        missing = missing_clusters(db, key, place.port, place.client.holder)
        if missing:
            found.setdefault(host, {})[key] = missing
    return {host: tuple(found[host].items()) for host in sorted(found)}


@query
def extra_hosts(db: Reader, place: Place) -> tuple[tuple[str, Key], ...]:
    """Hosts that the client sees no service of on a port but may reach there, with the VirtualService that counts.

    They are reached at port 80, and at the ports of a service that is named beside them, around them (a wildcard) or
    behind them (of an ExternalName Service).
    """
    client, port = place.client, place.port
    listener = scope_of(db, client.holder.scope).listeners[place.listener]
    here = http_ports(db, client.holder.scope, place.listener).get(port, ())
    present = {key.hostname for keys in here for key in keys}
    everywhere = port == _HTTP or listener.port == port
    wide = [host for host in present if hosts.is_wildcard(host)]
    wildcards = hosts.Wildcards(wide)
    others = _Others(db, listener, 0 if place.form is DomainForm.WITH_PORT else port)
    sources = {source for source, _ in listener.imports}
    any_source = ANY_NAMESPACE in sources
    found = []
    for host, outlines in (routed_hosts(db) if everywhere or wide else companions(db)).items():
        if host in present or (len(outlines) == 1 and not any_source and outlines[0].key.namespace not in sources):
            continue
        one = chosen_of_host(outlines, client.namespace, listener)
        if one is None or others.have(host):
            continue
        beside = everywhere or not present.isdisjoint((*one.hosts, unaliased(db, host)))
        if beside or wildcards.covering(host):
            found.append((host, one.key))
    return tuple(found)


@query
def companions(db: Reader) -> Mapping[str, tuple[Outline, ...]]:
    """Of `routed_hosts` those that may be reached because of a service beside or behind them."""
    aliases = {alias for names in alias_names(db).values() for alias in names}
    return {
        host: outlines
        for host, outlines in routed_hosts(db).items()
        if host in aliases or any(len(one.hosts) > 1 for one in outlines)
    }


class _Others:
    """The services of a listener that have a port (0: any), whatever they speak. Lives inside one query."""

    def __init__(self, db: Reader, listener: EgressListener, port: int) -> None:
        self._db = db
        self._listener = listener
        self._port = port
        self._backwards: list[str] | None = None

    def have(self, host: str) -> bool:
        """Whether a host is one of theirs. A wildcard that covers one of theirs is about those it covers alone."""
        if not hosts.is_wildcard(host):
            return host in self._listener.services and self._has_port(self._listener.services[host])
        if self._backwards is None:
            services = self._listener.services.items()
            self._backwards = hosts.backwards(name for name, key in services if self._has_port(key))
        return hosts.covers_some(host, self._backwards)

    def _has_port(self, key: ServiceKey) -> bool:
        found = service(self._db, key)
        if found is None or found.resolution is Resolution.ALIAS:
            return False
        return not self._port or found.port(self._port) is not None


@query
def dropped_domains(db: Reader, place: Place) -> Mapping[str, tuple[Dropped, ...]]:
    """By host: the domains that another virtual host of the same route configuration has."""
    everywhere = contested(db)
    if not everywhere:
        return {}
    here = http_ports(db, place.client.holder.scope, place.listener).get(place.port, ())
    services = {key for keys in here for key in keys}
    extra = {host for host, _ in extra_hosts(db, place)}
    found: dict[str, list[Dropped]] = {}
    for domain, claims in everywhere.items():
        owners = Owners()
        for claim in claims:
            if _is_present(claim, services, extra) and not owners.add(claim):
                found.setdefault(claim.host, []).append((domain, claim.home))
    return {host: tuple(found[host]) for host in sorted(found)}


def _is_present(claim: Claim, services: set[ServiceKey], extra: set[str]) -> bool:
    if claim.service in services:
        return True
    # A service that is not seen may still be routed, by its host.
    return claim.host in extra and claim.form not in (Form.ALIAS, Form.ADDRESS)


def lone_block(db: Reader, place: Place, host: str) -> Block | None:
    """The only virtual host of a listener that is one service's alone; None when the service is not there."""
    key = scope_of(db, place.client.holder.scope).listeners[place.listener].services.get(host)
    if key is None:
        return None
    lost = []
    for each in candidates_of_host(db, host):
        missing = missing_clusters(db, each.outline.key, place.port, place.client.holder)
        if missing:
            lost.append((each.outline.key, missing))
    return service_block(db, place, (key,), "", (), tuple(lost))


class _Resolver:
    """Resolves hosts for one client. Lives inside one query."""

    def __init__(self, db: Reader, place: Place, bare: str, dropped: Drops, lost: Losses) -> None:
        self._db = db
        client, index, self._port, self._form = place
        self._namespace = client.namespace
        self._bare = bare
        self._domain = DOMAIN.get(db)
        self._names = alias_names(db)
        self._listener = egress_settings(db, client.holder.scope, index)
        self._lost = dict(lost)
        self._counts = client.headers.counts_attempts
        self._routings = Routings(
            db, client.holder, client.namespace, client.labels, forwards_host=client.headers.forwards_host
        )
        self._dropped = dict(dropped)

    def of_service(self, key: ServiceKey) -> VirtualHost:
        host = key.hostname
        bare = self._bare_for(host, *self._names.get(host, ()))
        dropped = self._dropped_by(host, bare)
        candidates = candidates_of_host(self._db, host)
        one = chosen(candidates, self._namespace, self._listener) if candidates else None
        if one is None:
            rules = self._routings.hash_rules(host, key.namespace)
            return VirtualHost(host, self._port, key, self._form, bare, dropped, None, rules, self._counts)
        routing = self._routings.of(one.key, self._port, MESH, self._lost.get(one.key, ()))
        return VirtualHost(host, self._port, key, self._form, bare, dropped, routing, (), self._counts)

    def of_host(self, host: str, key: Key) -> VirtualHost:
        bare = self._bare_for(host)
        routing = self._routings.of(key, self._port, MESH, self._lost.get(key, ()))
        dropped = self._dropped_by(host, bare)
        return VirtualHost(host, self._port, None, self._form, bare, dropped, routing, (), self._counts)

    def _dropped_by(self, host: str, bare: str) -> tuple[str, ...]:
        if not self._dropped:
            return ()
        return tuple(domain for domain, home in self._dropped.get(host, ()) if not home or home == bare)

    def _bare_for(self, *names: str) -> str:
        if not self._bare:
            return ""
        return self._bare if any(home(name, self._domain) == self._bare for name in names) else ""

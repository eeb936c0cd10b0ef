"""Which VirtualService routes what a host is sent, for which client.

Of the VirtualServices that a client sees, the one for the closest host counts: the host itself before wildcards, longer
wildcards before shorter ones. Among those, what is meant for the client's namespace alone comes before what is exported
to it by name, and that before what is exported to all; then the oldest counts.

Gateways are different: there all VirtualServices of a host count, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from lateen.api.objects import Key
from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.gateway_names import MESH, full_gateway_names
from lateen.model.inputs import DOMAIN, VIRTUAL_SERVICES
from lateen.model.mesh import default_virtual_service_export
from lateen.model.scope import EgressListener

_PUBLIC = "*"
_OWN = "."


class Outline(msgspec.Struct, frozen=True, gc=False):
    """What of a VirtualService decides where it counts, without its routes."""

    key: Key
    hosts: tuple[str, ...]
    """In full, in lower case; none in a delegate."""
    gateways: tuple[str, ...]
    """`namespace/name` or `mesh`."""
    export_to: frozenset[str]
    """Namespaces, or `*`."""
    age: tuple[str, str, str]
    has_http: bool
    has_tls: bool
    has_tcp: bool
    named: frozenset[str]
    """The hosts again: there may be thousands, and each is looked for."""

    def is_seen_from(self, namespace: str) -> bool:
        return _PUBLIC in self.export_to or namespace in self.export_to

    def rank(self, namespace: str) -> tuple[int, tuple[str, str, str]]:
        """Precedence for a client in a namespace that sees it, among those of equally close hosts; the least counts."""
        if self.export_to == {namespace}:
            return (0, self.age)
        return (1 if namespace in self.export_to else 2, self.age)


class Candidate(NamedTuple):
    """A VirtualService that may route what a host is sent."""

    specificity: tuple[bool, int, str]
    """Of the host by which it does."""
    outline: Outline


Fits = Callable[[Outline], bool]


@query
def outline(db: Reader, key: Key) -> Outline | None:
    """Where a VirtualService counts: stays the same when only its routes change."""
    found = VIRTUAL_SERVICES.get(db, key)
    if found is None:
        return None
    namespace = found.metadata.namespace
    domain = DOMAIN.get(db)
    spec = found.spec
    exports = spec.export_to or default_virtual_service_export(db)
    full = tuple(dict.fromkeys([hosts.resolved(host, namespace, domain).lower() for host in spec.hosts]))
    return Outline(
        key,
        full,
        full_gateway_names(spec.gateways, namespace) if spec.hosts else (),
        frozenset([namespace if to == _OWN else to for to in exports]),
        found.age,
        bool(spec.http),
        bool(spec.tls),
        bool(spec.tcp),
        frozenset(full),
    )


class WildcardHosts(msgspec.Struct, frozen=True, gc=False, eq=False):
    """The wildcard hosts of VirtualServices."""

    outlines: Mapping[str, tuple[Outline, ...]]
    """By host, sorted."""
    wildcards: hosts.Wildcards

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WildcardHosts) and self.outlines == other.outlines


@query
def wildcard_virtual_services(db: Reader) -> WildcardHosts:
    """The wildcard hosts of all VirtualServices for sidecars."""
    found: dict[str, tuple[Outline, ...]] = {}
    for key in VIRTUAL_SERVICES.where(db, "wildcard", True):
        one = outline(db, key)
        if one is not None and MESH in one.gateways:
            for host in one.hosts:
                if hosts.is_wildcard(host):
                    found[host] = (*found.get(host, ()), one)
    return WildcardHosts({host: found[host] for host in sorted(found)}, hosts.Wildcards(found))


def candidates_of_host(db: Reader, host: str) -> tuple[Candidate, ...]:
    """Every VirtualService that may route what sidecars send to a host (itself perhaps a wildcard), closest first.

    Depends on the host's own buckets and on the wildcards; not a query, as only what is chosen of it is worth keeping.
    """
    found = []
    for key in VIRTUAL_SERVICES.where(db, "host", hosts.bucket(host)):
        one = outline(db, key)
        if one is not None and MESH in one.gateways and host in one.named:
            found.append(Candidate(hosts.specificity(host), one))
    wide = wildcard_virtual_services(db)
    for pattern in wide.wildcards.covering(host) if wide.outlines else ():
        if pattern != host:
            found += [Candidate(hosts.specificity(pattern), one) for one in wide.outlines[pattern]]
    if len(found) > 1:
        found.sort(key=lambda each: (each.specificity, each.outline.age))
    return tuple(found)


def _has_http(one: Outline) -> bool:
    return one.has_http


def chosen(
    candidates: tuple[Candidate, ...], namespace: str, listener: EgressListener, fits: Fits = _has_http
) -> Outline | None:
    """The VirtualService that counts for a client in a namespace, of those that its egress listener imports and that
    `fits` (by default: the ones with HTTP routes)."""
    if len(candidates) == 1:
        only = candidates[0].outline
        return only if fits(only) and _counts(only, namespace, listener) else None
    seen = [each for each in candidates if fits(each.outline) and _counts(each.outline, namespace, listener)]
    if len(seen) < 2:
        return seen[0].outline if seen else None
    return min(seen, key=lambda each: (each.specificity, each.outline.rank(namespace))).outline


def chosen_of_host(outlines: tuple[Outline, ...], namespace: str, listener: EgressListener) -> Outline | None:
    """The same among VirtualServices that name one and the same host."""
    if len(outlines) == 1:
        return outlines[0] if _counts(outlines[0], namespace, listener) else None
    seen = [one for one in outlines if _counts(one, namespace, listener)]
    return min(seen, key=lambda one: one.rank(namespace), default=None)


def _counts(one: Outline, namespace: str, listener: EgressListener) -> bool:
    return one.is_seen_from(namespace) and listener.imports_virtual_service(one.key.namespace, one.hosts)


@query
def routed_hosts(db: Reader) -> Mapping[str, tuple[Outline, ...]]:
    """The hosts of all VirtualServices for sidecars that have HTTP routes, sorted; with the VirtualServices."""
    found: dict[str, tuple[Outline, ...]] = {}
    for key in VIRTUAL_SERVICES.where(db, "gateway", MESH):
        one = outline(db, key)
        if one is not None and one.has_http:
            for host in one.hosts:
                found[host] = (*found.get(host, ()), one)
    return {host: found[host] for host in sorted(found)}


@query
def virtual_services_of_gateway(db: Reader, gateway: str, namespace: str) -> tuple[Outline, ...]:
    """The VirtualServices bound to a Gateway (`namespace/name`) that a gateway proxy in a namespace sees, in order."""
    found = []
    for key in VIRTUAL_SERVICES.where(db, "gateway", gateway):
        one = outline(db, key)
        if one is not None and one.is_seen_from(namespace):
            found.append(one)
    return tuple(sorted(found, key=lambda one: one.rank(namespace)))

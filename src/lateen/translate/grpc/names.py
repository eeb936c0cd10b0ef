"""The names by which gRPC applications ask for listeners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lateen.engine import Reader, query
from lateen.model import hosts
from lateen.model.domains import Claim, contested, service_domains, with_port
from lateen.model.protocol import Protocol
from lateen.model.scope import ScopeKey, scope_of
from lateen.model.service import Resolution, Service, ServiceKey
from lateen.model.services import service

SERVER_PREFIX = "xds.istio.io/grpc/lds/inbound/"
"""Of a server's listener; its address follows, as it listens there."""


class Destination(NamedTuple):
    """A port of a service."""

    service: ServiceKey
    port: int


@query
def destinations(db: Reader, scope: ScopeKey) -> tuple[Destination, ...]:
    """All that clients with a scope may send to, sorted by host, then in the order of ports."""
    seen = scope_of(db, scope)
    found: list[Destination] = []
    for host, key in seen.services.items():
        one = service(db, key)
        if one is None or one.resolution is Resolution.ALIAS or hosts.is_wildcard(host):
            continue
        numbers = [port.port for port in one.ports if port.protocol is not Protocol.UDP]
        found += [Destination(key, number) for number in numbers if seen.sees_port(key, number)]
    return tuple(found)


@query
def targets(db: Reader, scope: ScopeKey, namespace: str) -> Mapping[str, Destination]:
    """What follows `xds:///`, `HOST:PORT` with the host in each of its forms, for clients of a namespace."""
    taken = contested(db)
    visible = {each.service for each in destinations(db, scope)}
    found: dict[str, Destination] = {}
    for each in destinations(db, scope):
        one = service(db, each.service)
        if one is not None:
            for name in _names(db, one, namespace):
                if name not in taken or _is_owner(one, taken[name], visible, namespace):
                    found[with_port(name, each.port)] = each
    return found


def _names(db: Reader, one: Service, namespace: str) -> list[str]:
    """The forms of a host that can be dialled: not the names of single pods behind it."""
    return [name for name in service_domains(db, one, namespace) if not hosts.is_wildcard(name)]


def _is_owner(one: Service, claims: tuple[Claim, ...], visible: set[ServiceKey], namespace: str) -> bool:
    """Whether a name that several hosts go by is this one's, for clients of a namespace."""
    known = (claim for claim in claims if claim.service in visible and claim.home in ("", namespace))
    first = next(known, None)
    return first is None or first.host == one.hostname


def server_listener(address: str, port: int) -> str:
    """The name of the listener of a server at an address."""
    return SERVER_PREFIX + with_port(f"[{address}]" if ":" in address else address, port)

"""Virtual hosts as bytes: what goes by which names, around the routes of a VirtualService or the one to the service."""

from __future__ import annotations

from enum import Enum

import msgspec

from lateen.engine import Reader
from lateen.model.destination_rules import Rules
from lateen.model.domains import compliant, routed_domains, service_domains, with_port
from lateen.model.service import ServiceKey
from lateen.model.services import service
from lateen.translate.routes.default_route import default_route
from lateen.translate.routes.http_routes import Routing, http_routes
from lateen.translate.wire import embedded, text, unsigned

VIRTUAL_HOSTS = 2
"""Field number of RouteConfiguration.virtual_hosts."""
_NAME, _DOMAINS, _COUNTS_ATTEMPTS = 1, 2, 14
"""Field numbers of VirtualHost."""


class DomainForm(Enum):
    """How domains are written."""

    __hash__ = object.__hash__

    PLAIN = "plain"
    """Without ports, which the route configuration ignores."""
    WITH_PORT = "with port"
    """With the port, and without it too where that is 80: in route configurations for several ports."""
    ANY = "any"
    """A lone virtual host, for whatever arrives."""


class VirtualHost(msgspec.Struct, frozen=True, gc=False):
    """All that makes a difference to a virtual host."""

    host: str
    port: int
    service: ServiceKey | None
    """None for a host that only a VirtualService makes sense of."""
    form: DomainForm = DomainForm.PLAIN
    bare: str = ""
    """The clients' namespace, where that is the service's (or an alias's) own: they write its name alone."""
    dropped: tuple[str, ...] = ()
    """Domains that another virtual host has."""
    routing: Routing | None = None
    rules: Rules = ()
    """DestinationRules of the service that ask for consistent hashing; only without a VirtualService."""
    counts_attempts: bool = True
    """`x-envoy-attempt-count` is added to requests."""


def virtual_host(db: Reader, wanted: VirtualHost) -> bytes:
    """A `virtual_hosts` field of a route configuration; empty when nothing can be reached by it.

    Not a query: a block of them is what views share, and making it anew from routes that are bytes already costs less
    than keeping each host.
    """
    routes = b""
    if wanted.routing is not None:
        found = http_routes(db, wanted.routing)
        routes = found.specific + found.catch_all
    if not routes and wanted.service is not None:
        routes = default_route(db, wanted.host, wanted.port, wanted.rules)
    domains = _domains(db, wanted)
    if not routes or not domains:
        return b""
    name = text(_NAME, with_port(compliant(wanted.host), wanted.port))
    listed = [text(_DOMAINS, domain) for domain in domains]
    counts = unsigned(_COUNTS_ATTEMPTS, wanted.counts_attempts)
    return embedded(VIRTUAL_HOSTS, b"".join([name, *listed, routes, counts]))


def _domains(db: Reader, wanted: VirtualHost) -> list[str]:
    if wanted.form is DomainForm.ANY:
        return ["*"]
    if wanted.service is None:
        plain = routed_domains(db, wanted.host, wanted.bare)
    else:
        found = service(db, wanted.service)
        plain = service_domains(db, found, wanted.bare) if found is not None else []
    if wanted.dropped:
        dropped = frozenset(wanted.dropped)
        plain = [name for name in plain if name not in dropped]
    if wanted.form is DomainForm.PLAIN:
        return plain
    ported = [with_port(name, wanted.port) for name in plain]
    return plain + ported if wanted.port == 80 else ported

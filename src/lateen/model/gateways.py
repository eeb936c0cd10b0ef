"""Which Gateways a gateway proxy serves, and their servers, merged per address and port."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from lateen.api.networking.gateway import Gateway, Server, ServerTLSSettings, TLSmode
from lateen.api.objects import Key, Object
from lateen.engine import Reader, query
from lateen.model.chain_conditions import server_names
from lateen.model.gateway_ports import PortMapping, port_mapping
from lateen.model.inputs import GATEWAYS, SCOPE_GATEWAYS_TO_NAMESPACE
from lateen.model.names import gateway_route, gateway_tls_route
from lateen.model.protocol import Protocol, declared_protocol
from lateen.model.proxy import GatewayView, Labels

OWN_CERTIFICATE = frozenset({TLSmode.SIMPLE, TLSmode.MUTUAL, TLSmode.OPTIONAL_MUTUAL})
"""Modes in which the server's own settings say what certificate it shows."""
_PASSTHROUGH = frozenset({TLSmode.PASSTHROUGH, TLSmode.AUTO_PASSTHROUGH})
_AUTHORITIES = "-cacert"
FILE_CERTIFICATE = "file-cert://"
"""SDS names of a certificate and its key in files: `file-cert://CERTIFICATE~KEY`."""
FILE_ROOTS = "file-root://"
"""SDS names of authorities in a file: `file-root://AUTHORITIES` or `file-root://AUTHORITIES~REVOKED`."""
FILE_SEPARATOR = "~"
_WILDCARDS = ("0.0.0.0", "::")


class ServerHost(NamedTuple):
    """A host that a server exposes."""

    namespace: str
    """Of the VirtualServices that may bind; empty for any."""
    name: str
    """A host name, possibly with a wildcard first label; `*` for every host."""


class GatewayServer(msgspec.Struct, frozen=True):
    """One server of one Gateway, as one proxy serves it."""

    gateway: Key
    index: int
    """Position among the Gateway's servers."""
    number: int
    """The port as declared, which clients and VirtualServices know."""
    listen_port: int
    """The port the proxy binds: where the gateway's Service sends what it gets at `number`. 0 for unix sockets."""
    bind: str
    """IP address or `unix://` socket; empty for every address."""
    port_name: str
    protocol: Protocol
    hosts: tuple[ServerHost, ...]
    tls: ServerTLSSettings | None
    """Of servers with TLS; None as well for plain text HTTP that only redirects."""
    redirects_to_https: bool
    route_name: str
    """Name of its route configuration; empty when it has none (TCP, passthrough)."""
    name: str = ""

    @property
    def is_http(self) -> bool:
        """Plain text HTTP."""
        return self.protocol.is_http

    @property
    def terminates_tls(self) -> bool:
        return self.tls is not None and self.tls.mode not in _PASSTHROUGH

    @property
    def is_https(self) -> bool:
        """HTTP inside of TLS that ends here."""
        return self.protocol is Protocol.HTTPS and self.terminates_tls

    @property
    def sni_hosts(self) -> tuple[str, ...]:
        """Server names by which it is told from others on its port; empty when it takes any."""
        if self.tls is None:
            return ()
        names = [host.name for host in self.hosts]
        return () if "*" in names else server_names(names)


class GatewayPort(msgspec.Struct, frozen=True):
    """What is listened for at one address and port: HTTP servers, or TLS servers, or one TCP server."""

    listen_port: int
    bind: str
    servers: tuple[GatewayServer, ...]
    """Oldest Gateway first."""


class ServerConflict(msgspec.Struct, frozen=True):
    """A server that is left out because of an older one."""

    gateway: Key
    index: int
    path: str
    """Of the field at fault, relative to the server."""
    message: str
    other: Key


class MergedGateways(msgspec.Struct, frozen=True):
    ports: tuple[GatewayPort, ...] = ()
    """Sorted by bind and port."""
    conflicts: tuple[ServerConflict, ...] = ()


@query
def gateway_ports(db: Reader, view: GatewayView) -> tuple[GatewayPort, ...]:
    """What a gateway proxy listens for, sorted by bind and port."""
    mapping = port_mapping(db, view.namespace, view.labels, view.cluster_id)
    return merged_gateways(db, selected_gateways(db, view.namespace, view.labels), mapping).ports


def gateway_servers(db: Reader, view: GatewayView) -> tuple[GatewayServer, ...]:
    """Every server that a gateway proxy serves; several may share a route name (plain text HTTP of one port)."""
    return tuple(server for port in gateway_ports(db, view) for server in port.servers)


@query
def credentials(db: Reader, view: GatewayView) -> tuple[str, ...]:
    """Names of the secrets (SDS) that a gateway's listeners refer to, sorted."""
    names: set[str] = set()
    for server in gateway_servers(db, view):
        if server.tls is not None and server.terminates_tls and server.tls.mode is not TLSmode.ISTIO_MUTUAL:
            names.update(certificate_resources(server.tls))
            names.update(filter(None, (authorities_resource(server.tls),)))
    return tuple(sorted(names))


def certificate_resources(tls: ServerTLSSettings) -> tuple[str, ...]:
    """SDS names of the certificates that a server shows: of credentials, or of files."""
    if tls.mode not in OWN_CERTIFICATE:
        return ()
    named = tuple(_resource(name) for name in (tls.credential_names or (tls.credential_name,)) if name)
    if named:
        return named
    pairs = [(pair.server_certificate, pair.private_key) for pair in tls.tls_certificates]
    files = pairs or [(tls.server_certificate, tls.private_key)]
    return tuple(f"{FILE_CERTIFICATE}{certificate}{FILE_SEPARATOR}{key}" for certificate, key in files)


def authorities_resource(tls: ServerTLSSettings) -> str:
    """SDS name of the authorities of client certificates: of a credential, or of files; empty for none."""
    if tls.mode not in (TLSmode.MUTUAL, TLSmode.OPTIONAL_MUTUAL):
        return ""
    file = tls.ca_certificates or next((p.ca_certificates for p in tls.tls_certificates if p.ca_certificates), "")
    if file:
        return f"{FILE_ROOTS}{file}{FILE_SEPARATOR}{tls.ca_crl}" if tls.ca_crl else f"{FILE_ROOTS}{file}"
    names = tls.credential_names or (tls.credential_name,)
    name = tls.ca_cert_credential_name or names[0]
    return _resource(name.removesuffix(_AUTHORITIES) + _AUTHORITIES) if name else ""


def _resource(credential: str) -> str:
    return credential if "://" in credential else f"kubernetes://{credential}"


@query
def selected_gateways(db: Reader, namespace: str, labels: Labels) -> tuple[Key, ...]:
    """Gateways whose selector picks a proxy with these labels in this namespace, oldest first."""
    scoped = SCOPE_GATEWAYS_TO_NAMESPACE.get(db)
    keys = GATEWAYS.where(db, "namespace", namespace) if scoped else GATEWAYS.keys(db)
    have = dict(labels)
    found = []
    for key in keys:
        gateway = GATEWAYS.get(db, key)
        if gateway is not None and gateway.spec.selector.items() <= have.items():
            found.append(gateway)
    return tuple(gateway.key for gateway in sorted(found, key=lambda each: each.age))


@query
def merged_gateways(db: Reader, keys: tuple[Key, ...], mapping: PortMapping) -> MergedGateways:
    """The servers of several Gateways on one proxy, the oldest Gateway first: it wins where they conflict.

    Plain text HTTP servers share a port, TLS servers share a port while their server names differ, and every other
    server has its port for itself.
    """
    merge = _Merge()
    for key in keys:
        gateway = GATEWAYS.get(db, key)
        if gateway is None:
            continue
        for server in _servers_of(gateway, mapping):
            merge.add(server)
    return MergedGateways(
        tuple(GatewayPort(port, bind, tuple(merge.ports[bind, port])) for bind, port in sorted(merge.ports)),
        tuple(merge.conflicts),
    )


class _Merge:
    """Servers so far, by bind and port."""

    def __init__(self) -> None:
        self.ports: dict[tuple[str, int], list[GatewayServer]] = {}
        self.conflicts: list[ServerConflict] = []

    def add(self, server: GatewayServer) -> None:
        present = self.ports.setdefault((server.bind, server.listen_port), [])
        conflict = self._conflict(server, present) if present else None
        if conflict is None:
            present.append(server)
        else:
            self.conflicts.append(conflict)

    def _conflict(self, server: GatewayServer, present: list[GatewayServer]) -> ServerConflict | None:
        first = present[0]
        both_http = server.is_http and first.is_http
        both_tls = server.tls is not None and first.tls is not None
        if not (both_http or both_tls):
            message = (
                f"{server.protocol.value} cannot share port {server.number} with {first.protocol.value} "
                f"of Gateway {first.gateway} (servers[{first.index}]), which is older"
            )
            return ServerConflict(server.gateway, server.index, "port", message, first.gateway)
        if both_tls:
            for other in present:
                shared = _shared_names(server, other)
                if shared:
                    message = (
                        f"{', '.join(shared)} on port {server.number} is served by Gateway {other.gateway} "
                        f"(servers[{other.index}]), which is older"
                    )
                    return ServerConflict(server.gateway, server.index, "hosts", message, other.gateway)
        return None


def _shared_names(server: GatewayServer, other: GatewayServer) -> list[str]:
    """Server names that both would match equally: the proxy could not choose between them."""
    taken = other.sni_hosts or ("*",)
    return [name for name in server.sni_hosts or ("*",) if name in taken]


def _servers_of(gateway: Object[Gateway], mapping: PortMapping) -> Iterator[GatewayServer]:
    for index, server in enumerate(gateway.spec.servers):
        for listen_port in mapping.listen_ports(server.port.number):
            yield _server(gateway, index, server, listen_port)


def _server(gateway: Object[Gateway], index: int, server: Server, listen_port: int) -> GatewayServer:
    protocol = declared_protocol(server.port.protocol)
    tls = None if protocol.is_http else server.tls
    # Whoever binds every address of one family is bound by the proxy's own families.
    bind = "" if server.bind in _WILDCARDS else server.bind
    route = ""
    if protocol.is_http:
        route = gateway_route(listen_port, bind)
    elif protocol is Protocol.HTTPS and tls is not None and tls.mode not in _PASSTHROUGH:
        key = gateway.key
        route = gateway_tls_route(server.port.number, server.port.name, key.name, key.namespace, bind)
    return GatewayServer(
        gateway=gateway.key,
        index=index,
        number=server.port.number,
        listen_port=listen_port,
        bind=bind,
        port_name=server.port.name,
        protocol=protocol,
        hosts=_hosts(server.hosts, gateway.key.namespace),
        tls=tls,
        redirects_to_https=protocol.is_http and server.tls is not None and server.tls.https_redirect,
        route_name=route,
        name=server.name,
    )


def _hosts(hosts: tuple[str, ...], namespace: str) -> tuple[ServerHost, ...]:
    found = []
    for host in hosts:
        prefix, slash, name = host.partition("/")
        if not slash:
            prefix, name = "*", host
        found.append(ServerHost({"*": "", ".": namespace}.get(prefix, prefix), name.lower()))
    return tuple(dict.fromkeys(found))

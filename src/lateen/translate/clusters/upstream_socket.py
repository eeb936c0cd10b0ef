"""How a client speaks to a service's endpoints: in plain text, with the mesh's TLS, or with TLS of the user's.

A client without certificates has no identity in the mesh: it speaks plain text where the mesh's TLS would be automatic
(servers that demand it refuse), and nothing at all where a rule says ISTIO_MUTUAL (`refuses`).
"""

from __future__ import annotations

from lateen.api.networking.destination_rule import ClientTLSSettings, ProxyProtocol, TLSmode, TrafficPolicy
from lateen.api.security.peer_authentication import MutualTLSMode
from lateen.engine import Reader
from lateen.model.names import sni_dnat_cluster
from lateen.model.outbound_clusters import Discovery
from lateen.model.peer_authentication import namespace_mode
from lateen.model.proxy import Certificates, system_roots
from lateen.model.server_identities import all_take_mutual_tls, server_names
from lateen.model.service import Service, ServicePort
from lateen.translate.clusters.connection_pool import HttpVersion
from lateen.translate.clusters.mesh_defaults import mesh_defaults
from lateen.translate.tls import alpn
from lateen.translate.tls.parameters import tls_demands
from lateen.translate.tls.upstream import (
    PLAIN,
    by_endpoint,
    expected_names,
    for_all,
    mesh_context,
    mesh_tls,
    originated_tls,
    with_proxy_protocol,
)


def refuses(policy: TrafficPolicy, certificates: Certificates | None) -> bool:
    """Whether a policy asks of a client what it cannot do. Plain text in its stead is not what was asked for."""
    return certificates is None and policy.tls is not None and policy.tls.mode is TLSmode.ISTIO_MUTUAL


class Sockets:
    """The transport sockets of the clusters of one port under one policy."""

    __slots__ = ("_fixed",)

    def __init__(self, fixed: bytes) -> None:
        self._fixed = fixed

    def of(self, subset: str) -> bytes:
        """The fields of one `Cluster`. Only the mesh's TLS names the subset (in its SNI)."""
        return self._fixed


class _MeshSockets(Sockets):
    """Sockets of the mesh's TLS."""

    __slots__ = ("_automatic", "_context", "_identities", "_port", "_protocol", "_service", "_sni")

    def __init__(
        self,
        context: bytes,
        identities: bytes,
        service: Service,
        port: ServicePort,
        *,
        sni: str,
        automatic: bool,
        protocol: ProxyProtocol | None,
    ) -> None:
        """`automatic`: for endpoints that take it; others are spoken to in plain text."""
        super().__init__(b"")
        self._context = context
        self._identities = identities
        self._service = service
        self._port = port
        self._sni = sni
        self._automatic = automatic
        self._protocol = protocol

    def of(self, subset: str) -> bytes:
        sni = self._sni or sni_dnat_cluster(self._port.port, subset, self._service.key.hostname)
        mutual = mesh_tls(self._context, sni, self._identities)
        if not self._automatic:
            return _only(mutual, self._protocol)
        if self._protocol is None:
            return by_endpoint(mutual, PLAIN)
        version = self._protocol.version
        return by_endpoint(with_proxy_protocol(mutual, version), with_proxy_protocol(PLAIN, version))


class ServiceSockets:
    """Makes the transport sockets of one service's clusters."""

    def __init__(
        self, db: Reader, service: Service, certificates: Certificates | None, *, may_use_credentials: bool
    ) -> None:
        """`may_use_credentials`: the client is a gateway, or the rule selects it: `credentialName` is for it."""
        self._db = db
        self._service = service
        self._certificates = certificates
        self._may_use_credentials = may_use_credentials
        self._identities: bytes | None = None
        self._last: tuple[tuple[object, ...], Sockets] | None = None

    def under(self, policy: TrafficPolicy, port: ServicePort, version: HttpVersion, discovery: Discovery) -> Sockets:
        """How connections to a port are made under a policy, which is none that the client `refuses`."""
        # Policies of subsets mostly have nothing of this, and so are the port's in this.
        deciding = (policy.tls, policy.proxy_protocol, port.port, version, discovery)
        if self._last is None or self._last[0] != deciding:
            self._last = deciding, self._made(policy, port, version, discovery)
        return self._last[1]

    def _made(self, policy: TrafficPolicy, port: ServicePort, version: HttpVersion, discovery: Discovery) -> Sockets:
        tls, protocol, certificates = policy.tls, policy.proxy_protocol, self._certificates
        if certificates is None:
            return Sockets(_only(self._originated(tls, version) if tls is not None else None, protocol))
        if tls is None and self._is_automatic():
            if discovery is Discovery.ORIGINAL_DST or discovery is Discovery.DYNAMIC_FORWARD_PROXY:
                # Where endpoints are not known one by one there is nothing to tell them apart by.
                if not all_take_mutual_tls(self._db, self._service.key, port.port):
                    return Sockets(_only(None, protocol))
                return self._mesh(certificates, _AUTOMATIC, port, version, protocol, automatic=False)
            return self._mesh(certificates, _AUTOMATIC, port, version, protocol, automatic=True)
        if tls is not None and tls.mode is TLSmode.ISTIO_MUTUAL:
            return self._mesh(certificates, tls, port, version, protocol, automatic=False)
        return Sockets(_only(self._originated(tls, version) if tls is not None else None, protocol))

    def _is_automatic(self) -> bool:
        if self._service.mesh_external or not mesh_defaults(self._db).auto_mutual_tls:
            return False
        return namespace_mode(self._db, self._service.key.namespace) is not MutualTLSMode.DISABLE

    def _originated(self, tls: ClientTLSSettings, version: HttpVersion) -> bytes | None:
        if tls.mode is TLSmode.DISABLE:
            return None
        if tls.credential_name and not self._may_use_credentials:
            # As Istio: every sidecar would ask for a secret that few may read. `model/findings` tells of it.
            return None
        # Names of a ServiceEntry are those of its certificates; a Kubernetes Service has none but identities.
        names = () if self._service.is_kubernetes else self._service.subject_alt_names
        roots, demands = system_roots(self._certificates), tls_demands(self._db)
        return originated_tls(tls, names, roots, demands, is_http2=version is HttpVersion.HTTP2)

    def _mesh(
        self,
        certificates: Certificates,
        tls: ClientTLSSettings,
        port: ServicePort,
        version: HttpVersion,
        protocol: ProxyProtocol | None,
        *,
        automatic: bool,
    ) -> Sockets:
        context = mesh_context(self._db, certificates, _protocols(port, version))
        identities = expected_names(tls.subject_alt_names) if tls.subject_alt_names else self._known_identities()
        return _MeshSockets(
            context, identities, self._service, port, sni=tls.sni, automatic=automatic, protocol=protocol
        )

    def _known_identities(self) -> bytes:
        if self._identities is None:
            self._identities = expected_names(server_names(self._db, self._service.key))
        return self._identities


_AUTOMATIC = ClientTLSSettings()


def _only(socket: bytes | None, proxy_protocol: ProxyProtocol | None) -> bytes:
    if proxy_protocol is not None:
        return for_all(with_proxy_protocol(socket or PLAIN, proxy_protocol.version))
    return for_all(socket) if socket is not None else b""


def _protocols(port: ServicePort, version: HttpVersion) -> tuple[str, ...]:
    if version is HttpVersion.HTTP2:
        return alpn.MESH_HTTP2
    return alpn.MESH_HTTP1 if port.protocol.is_http else alpn.MESH_TCP

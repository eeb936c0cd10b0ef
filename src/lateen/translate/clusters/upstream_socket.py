"""How a client speaks to a service's endpoints: in plain text, with the mesh's TLS, or with TLS of the user's."""

from __future__ import annotations

import msgspec

from lateen.api.networking.destination_rule import ClientTLSSettings, ProxyProtocol, TLSmode
from lateen.api.security.peer_authentication import MutualTLSMode
from lateen.engine import Reader
from lateen.model.names import sni_dnat_cluster
from lateen.model.outbound_clusters import Discovery
from lateen.model.peer_authentication import namespace_mode
from lateen.model.protocol import Protocol
from lateen.model.proxy import Certificates
from lateen.model.server_identities import all_take_mutual_tls, server_names
from lateen.model.service import Service
from lateen.translate.clusters.connection_pool import HttpVersion
from lateen.translate.clusters.mesh_defaults import mesh_defaults
from lateen.translate.tls import alpn
from lateen.translate.tls.parameters import tls_demands
from lateen.translate.tls.upstream import (
    PLAIN,
    by_endpoint,
    for_all,
    mesh_context,
    mesh_tls,
    originated_tls,
    with_proxy_protocol,
)


class Upstream(msgspec.Struct, frozen=True):
    """What decides on the transport sockets of a cluster."""

    service: Service
    port: int
    subset: str
    protocol: Protocol
    version: HttpVersion
    discovery: Discovery
    certificates: Certificates
    may_use_credentials: bool
    """The client is a gateway, or the rule selects it: `credentialName` is for it."""


def upstream_sockets(
    db: Reader, upstream: Upstream, tls: ClientTLSSettings | None, proxy_protocol: ProxyProtocol | None
) -> bytes:
    """The fields of a `Cluster` that say how connections are made."""
    if tls is None and _is_automatic(db, upstream):
        mutual = _mesh_socket(db, upstream, ClientTLSSettings())
        if upstream.discovery in (Discovery.ORIGINAL_DST, Discovery.DYNAMIC_FORWARD_PROXY):
            # Where endpoints are not known one by one there is nothing to tell them apart by.
            takes_it = all_take_mutual_tls(db, upstream.service.key, upstream.port)
            return _only(mutual if takes_it else None, proxy_protocol)
        if proxy_protocol is None:
            return by_endpoint(mutual, PLAIN)
        version = proxy_protocol.version
        return by_endpoint(with_proxy_protocol(mutual, version), with_proxy_protocol(PLAIN, version))
    return _only(_declared(db, upstream, tls) if tls is not None else None, proxy_protocol)


def _is_automatic(db: Reader, upstream: Upstream) -> bool:
    if upstream.service.mesh_external or not mesh_defaults(db).auto_mutual_tls:
        return False
    return namespace_mode(db, upstream.service.namespace) is not MutualTLSMode.DISABLE


def _only(socket: bytes | None, proxy_protocol: ProxyProtocol | None) -> bytes:
    if proxy_protocol is not None:
        return for_all(with_proxy_protocol(socket or PLAIN, proxy_protocol.version))
    return for_all(socket) if socket is not None else b""


def _declared(db: Reader, upstream: Upstream, tls: ClientTLSSettings) -> bytes | None:
    match tls.mode:
        case TLSmode.DISABLE:
            return None
        case TLSmode.ISTIO_MUTUAL:
            return _mesh_socket(db, upstream, tls)
    if tls.credential_name and not upstream.may_use_credentials:
        # As Istio: every sidecar would ask for a secret that few may read. `model/findings` tells of it.
        return None
    # Names of a ServiceEntry are those of its certificates; a Kubernetes Service has none but identities.
    names = () if upstream.service.is_kubernetes else upstream.service.subject_alt_names
    is_http2 = upstream.version is HttpVersion.HTTP2
    return originated_tls(tls, names, upstream.certificates, tls_demands(db), is_http2=is_http2)


def _mesh_socket(db: Reader, upstream: Upstream, tls: ClientTLSSettings) -> bytes:
    context = mesh_context(db, upstream.certificates, _protocols(upstream))
    sni = tls.sni or sni_dnat_cluster(upstream.port, upstream.subset, upstream.service.hostname)
    identities = tls.subject_alt_names or server_names(db, upstream.service.key)
    return mesh_tls(context, sni, identities)


def _protocols(upstream: Upstream) -> tuple[str, ...]:
    if upstream.version is HttpVersion.HTTP2:
        return alpn.MESH_HTTP2
    return alpn.MESH_HTTP1 if upstream.protocol.is_http else alpn.MESH_TCP

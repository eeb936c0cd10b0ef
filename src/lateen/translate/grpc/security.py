"""How gRPC clients speak to services: in plain text or with the mesh's TLS, the same to all endpoints of a cluster.

A client cannot tell endpoints apart as Envoy does, and to a server that takes both it cannot say (by ALPN) that its TLS
is the mesh's. So mutual TLS is automatic only where every endpoint demands it, and would refuse all else.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from envoy.extensions.transport_sockets.tls.v3 import tls_pb2

from lateen.api.networking.destination_rule import TLSmode, TrafficPolicy
from lateen.api.security.peer_authentication import MutualTLSMode
from lateen.engine import Reader, query
from lateen.model.endpoints import endpoints
from lateen.model.outbound_clusters import OutboundCluster
from lateen.model.peer_authentication import peer_policies
from lateen.model.server_identities import server_names
from lateen.model.service import ServiceKey
from lateen.model.services import service
from lateen.model.traffic_policy import effective_policy
from lateen.translate.clusters.mesh_defaults import mesh_defaults

_PROVIDER: Final = "default"
"""The certificate provider that applications have in their bootstrap, as Istio's agent writes it."""
_ROOTS: Final = "ROOTCA"
_TLS_SOCKET: Final = "envoy.transport_sockets.tls"


class Security(Enum):
    """What connections to a cluster are."""

    PLAIN = "plain text"
    MESH = "mutual TLS of the mesh"
    REFUSED = "refused"
    """None are made: what is asked for gRPC cannot do, and plain text in its stead is not what was asked for."""


def security_of(db: Reader, each: OutboundCluster, has_identity: bool) -> Security:
    """What a client does, that has an identity in the mesh or none."""
    policy = effective_policy(db, each.rules, each.port, each.subset)
    if refuses(policy, has_identity):
        return Security.REFUSED
    if policy.tls is not None:
        return Security.MESH if policy.tls.mode is TLSmode.ISTIO_MUTUAL else Security.PLAIN
    if not has_identity or not mesh_defaults(db).auto_mutual_tls:
        return Security.PLAIN
    return Security.MESH if all_demand_mutual_tls(db, each.service, each.port) else Security.PLAIN


def refuses(policy: TrafficPolicy, has_identity: bool) -> bool:
    """Whether a policy asks of a client what it cannot do."""
    if policy.proxy_protocol is not None:
        return True
    match policy.tls.mode if policy.tls is not None else TLSmode.DISABLE:
        case TLSmode.DISABLE:
            return False
        case TLSmode.ISTIO_MUTUAL:
            return not has_identity
    return True


@query
def all_demand_mutual_tls(db: Reader, key: ServiceKey, port: int) -> bool:
    """Whether a port has endpoints, and every one of them takes the mesh's TLS and nothing else."""
    found = service(db, key)
    listed = endpoints(db, key, port)
    if found is None or found.mesh_external or not listed:
        return False
    return all(
        each.mutual_tls
        and (
            each.is_own_proxy
            or peer_policies(db, each.namespace or key.namespace).of_port(each.labels, each.port)
            is MutualTLSMode.STRICT
        )
        for each in listed
    )


def set_client_tls(cluster: Any, db: Reader, key: ServiceKey, sni: str, names: tuple[str, ...]) -> None:
    """Gives a `Cluster` the mesh's TLS to a service; `names` stand in for the identities of who runs it."""
    context = tls_pb2.UpstreamTlsContext(sni=sni)
    checks = _set_providers(context.common_tls_context)
    for name in names or server_names(db, key):
        checks.match_subject_alt_names.add(exact=name)
    _set_socket(cluster, context)


def set_server_tls(chain: Any) -> None:
    """Gives a `FilterChain` the mesh's TLS. It takes all that the mesh's roots vouch for: names it cannot check."""
    context = tls_pb2.DownstreamTlsContext()
    context.require_client_certificate.value = True
    _set_providers(context.common_tls_context)
    _set_socket(chain, context)


def _set_providers(common: Any) -> Any:
    """Fills a `CommonTlsContext`; its checks of the other side, to be added to."""
    common.tls_certificate_provider_instance.instance_name = _PROVIDER
    common.tls_certificate_provider_instance.certificate_name = _PROVIDER
    checks = common.combined_validation_context.default_validation_context
    checks.ca_certificate_provider_instance.instance_name = _PROVIDER
    checks.ca_certificate_provider_instance.certificate_name = _ROOTS
    return checks


def _set_socket(into: Any, context: Any) -> None:
    into.transport_socket.name = _TLS_SOCKET
    into.transport_socket.typed_config.Pack(context, deterministic=True)

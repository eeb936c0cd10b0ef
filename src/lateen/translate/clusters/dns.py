"""Clusters whose addresses the proxy itself resolves (STRICT_DNS, LOGICAL_DNS, dynamic forward proxy).

Unlike others these hold their endpoints (names), and so depend on them and on where the client is.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.extensions.clusters.dynamic_forward_proxy.v3 import cluster_pb2 as dynamic_pb2
from envoy.extensions.common.dynamic_forward_proxy.v3 import dns_cache_pb2
from envoy.extensions.network.dns_resolver.cares.v3 import cares_dns_resolver_pb2

from lateen.engine import Reader
from lateen.model.listen_form import ListenForm
from lateen.model.outbound_clusters import Discovery, OutboundCluster
from lateen.model.proxy import Traits
from lateen.translate.clusters.mesh_defaults import mesh_defaults
from lateen.translate.endpoints.assignments import Client, assignment_bytes

_JITTER_MILLISECONDS: Final = 100
"""Proxies do not all ask at once."""
_QUERIES_PER_SOCKET: Final = 100
_DNS_CACHE: Final = "lateen"

_Cluster = cluster_pb2.Cluster


class AddressFamilies(Enum):
    """What a client can connect to."""

    IPV4 = "V4_ONLY"
    IPV6 = "V6_ONLY"
    BOTH = "ALL"


def families_of(client: Traits | ListenForm) -> AddressFamilies:
    if client.ipv4 and client.ipv6:
        return AddressFamilies.BOTH
    return AddressFamilies.IPV6 if client.ipv6 else AddressFamilies.IPV4


def resolution(
    db: Reader, each: OutboundCluster, families: AddressFamilies, client: Client, *, verifies_names: bool
) -> bytes:
    """The fields of a `Cluster` that say what is resolved and how.

    `verifies_names`: servers' certificates are to be for the names that were resolved. Where they are not, because
    there is no TLS or a rule has them verified otherwise, Envoy wants to be told that this is meant.
    """
    cluster = _Cluster()
    if each.discovery is Discovery.DYNAMIC_FORWARD_PROXY:
        config = dynamic_pb2.ClusterConfig(allow_insecure_cluster_options=not verifies_names)
        config.dns_cache_config.CopyFrom(dns_cache(db, families))
        cluster.cluster_type.name = "envoy.clusters.dynamic_forward_proxy"
        cluster.cluster_type.typed_config.Pack(config, deterministic=True)
        return _serialised(cluster)
    cluster.dns_lookup_family = getattr(_Cluster, families.value)
    cluster.dns_refresh_rate.FromNanoseconds(mesh_defaults(db).dns_refresh_rate.nanoseconds)
    cluster.dns_jitter.FromMilliseconds(_JITTER_MILLISECONDS)
    cluster.respect_dns_ttl = True
    _apply_resolver(cluster.typed_dns_resolver_config)
    assignment = assignment_bytes(db, each.name, each.service, each.port, each.subset_labels, client)
    cluster.load_assignment.MergeFromString(assignment)
    if each.discovery is Discovery.LOGICAL_DNS and not _has_one_endpoint(cluster.load_assignment):
        # A cluster of one name has exactly one: of none or of several it is what it looks like, a STRICT_DNS one.
        cluster.type = _Cluster.STRICT_DNS
    return _serialised(cluster)


def dns_cache(db: Reader, families: AddressFamilies) -> Any:
    """`DnsCacheConfig` of dynamic forward proxies: clusters and filters of a proxy share one cache."""
    rate = mesh_defaults(db).dns_refresh_rate
    # Envoy holds a cache to the settings it had when it was first named.
    cache = dns_cache_pb2.DnsCacheConfig(
        name=f"{_DNS_CACHE}-{families.value}-{rate}", dns_lookup_family=getattr(_Cluster, families.value)
    )
    cache.dns_refresh_rate.FromNanoseconds(rate.nanoseconds)
    _apply_resolver(cache.typed_dns_resolver_config)
    return cache


def _apply_resolver(extension: Any) -> None:
    resolver = cares_dns_resolver_pb2.CaresDnsResolverConfig()
    resolver.udp_max_queries.value = _QUERIES_PER_SOCKET
    extension.name = "envoy.network.dns_resolver.cares"
    extension.typed_config.Pack(resolver, deterministic=True)


def _has_one_endpoint(assignment: Any) -> bool:
    found: list[endpoint_pb2.LbEndpoint] = [one for group in assignment.endpoints for one in group.lb_endpoints]
    return len(found) == 1


def _serialised(cluster: Any) -> bytes:
    return bytes(cluster.SerializeToString(deterministic=True))

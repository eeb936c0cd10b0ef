from __future__ import annotations

from typing import Any

from envoy.config.listener.v3 import listener_components_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2

from lateen.api.schema.duration import Duration
from lateen.model.protocol import Protocol
from lateen.model.streams import Target, WeightedCluster, to_cluster
from lateen.translate.filters.network import Forwarding, add_terminal


def proxy(forwarding: Forwarding, protocol: Protocol = Protocol.TCP) -> tuple[list[str], Any]:
    chain = listener_components_pb2.FilterChain()
    add_terminal(chain, forwarding, protocol)
    found = tcp_proxy_pb2.TcpProxy()
    chain.filters[-1].typed_config.Unpack(found)
    return [each.name for each in chain.filters], found


def test_one_cluster() -> None:
    assert proxy(Forwarding(to_cluster("c")))[1] == tcp_proxy_pb2.TcpProxy(stat_prefix="c", cluster="c")


def test_no_timeouts_unless_asked_for() -> None:
    _, found = proxy(Forwarding(to_cluster("c"), idle_timeout=Duration(0), max_duration=Duration(1_500_000_000)))
    assert found.HasField("idle_timeout")
    assert found.max_downstream_connection_duration.ToMilliseconds() == 1500


def test_shares() -> None:
    target = Target((WeightedCluster("a", 1), WeightedCluster("b", 3)), "both")
    _, found = proxy(Forwarding(target))
    clusters = found.weighted_clusters.clusters
    assert [(each.name, each.weight) for each in clusters] == [("a", 1), ("b", 3)]


def test_only_mongo_is_looked_into() -> None:
    for protocol in (Protocol.REDIS, Protocol.MYSQL, Protocol.TLS):
        assert proxy(Forwarding(to_cluster("c")), protocol)[0] == ["envoy.filters.network.tcp_proxy"]
    assert proxy(Forwarding(to_cluster("c")), Protocol.MONGO)[0][0] == "envoy.filters.network.mongo_proxy"

"""What is shown, from data of tests; tests/envoy/test_inspection.py has a real Envoy's."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from lateen.inspection import clusters, endpoints, listeners, routes, secrets
from lateen.inspection.bootstrap import summary as bootstrap_summary
from lateen.inspection.dump import Dump
from lateen.inspection.printable import printable_lines
from lateen.inspection.protojson import camel
from lateen.inspection.sync_status import statuses
from lateen.inspection.sync_status import summary as sync_summary
from lateen.inspection.table import NARROW, table
from lateen.inspection.versions import Versions, data, long, short
from lateen.testing.authorities import of_no_version
from lateen.testing.certificates import Authority

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_columns_are_as_wide_as_their_widest_cell_and_the_last_is_left_alone() -> None:
    assert table(("A", "B", "C"), [("wide", "", "x"), ("b", "yy", "")], NARROW) == "A    B  C\nwide    x\nb    yy \n"
    assert table(("A", "B"), []) == "A     B\n"


def test_what_proxies_say_of_themselves_tells_terminals_nothing() -> None:
    hostile = "1.0\n2.0\x1b]52;c;eA==\x07\x9b2J\u2028"
    page = [{"proxy": f"web{hostile}.shop", "cluster_id": hostile, "istio_version": hostile}]
    versions = Versions("1", (("istiod", "1"),), (("web.shop", hostile),))
    for shown, lines in (
        (sync_summary(statuses({"istiod": page})), 2),
        (sync_summary(statuses({"istiod": page}), wide=True), 2),
        (short(versions, remote=True), 3),
        (long(versions, remote=True), 3),
        (bootstrap_summary({"node": {"metadata": {"ISTIO_VERSION": hostile}}}), 2),
    ):
        assert "1.0\\n2.0\\x1b]52" in shown
        assert shown.count("\n") == lines
        assert not set(shown) & set("\x1b\x07\x9b\u2028")
    assert printable_lines(f"a\n{hostile}").splitlines()[0] == "a"


def _host(name: str, *domains: str, match: dict[str, Any] | None = None, **route: Any) -> dict[str, Any]:
    return {"name": name, "domains": list(domains), "routes": [{"match": match or {"prefix": "/"}, **route}]}


def test_listeners_say_where_each_chain_leads() -> None:
    manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    proxy = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"

    def chain(match: dict[str, Any], **config: Any) -> dict[str, Any]:
        return {"filter_chain_match": match, "filters": [{"name": "any", "typed_config": config}]}

    virtual = {"virtual_hosts": [_host("in", "*", route={"cluster": "inbound|80||"})]}
    several = {"virtual_hosts": [_host("a", "a", "b"), _host("c", "*", match={"path": "/x"})]}
    found = {
        "name": "virtualInbound",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": 15006}},
        "additional_addresses": [{"address": {"socket_address": {"address": "::", "port_value": 15006}}}],
        "filter_chains": [
            chain({"destination_port": 80, "transport_protocol": "tls"}, **{"@type": manager, "route_config": virtual}),
            chain({"server_names": ["a", "b"]}, **{"@type": manager, "rds": {"route_config_name": "80"}}),
            chain(
                {"prefix_ranges": [{"address_prefix": "10.0.0.0", "prefix_len": 8}], "destination_port": 1},
                **{"@type": proxy, "cluster": "outbound|1||x"},
            ),
            chain({"application_protocols": ["istio-peer-exchange", "istio"]}, **{"@type": proxy, "cluster": "y"}),
            chain({"application_protocols": ["odd"]}, **{"@type": manager, "route_config": several}),
            chain({"destination_port": 2}, **{"@type": proxy, "cluster": "BlackHoleCluster"}),
        ],
        "default_filter_chain": chain({}, **{"@type": proxy, "cluster": "PassthroughCluster"}),
    }
    rows = {row[2]: row[3] for row in listeners.rows([found])}
    assert rows == {
        "Trans: tls; Addr: *:80": "Cluster: inbound|80||",
        "SNI: a,b": "Route: 80",
        "Addr: 10.0.0.0/8:1": "Cluster: outbound|1||x",
        "App: TCP TLS": "Cluster: y",
        "App: odd": "Inline Route: a/b /*; /x",
        "Addr: *:2": "Non-HTTP/Non-TCP",
        "ALL": "PassthroughCluster",
    }
    assert {row[0] for row in listeners.rows([found])} == {"0.0.0.0,::"}
    assert listeners.kind(found) == "HTTP+TCP"
    assert listeners.ListenerFilter("::", 15006, "http+tcp").fits(found)
    assert not listeners.ListenerFilter("1.2.3.4").fits(found)


@pytest.mark.parametrize(
    ("domains", "shown"),
    [
        (("*",), "*"),
        (("a.b.svc.cluster.local", "a", "a.b.svc", "a.b", "10.0.0.1"), "a, a.b + 1 more..."),
        (("a.example", "a.example:80"), "a.example"),
        (("a.b", "[fd00::1]", "[fd00::1]:80"), "a.b, [fd00::1]"),
        ((), ""),
    ],
)
def test_domains_are_cut_short(domains: tuple[str, ...], shown: str) -> None:
    assert routes.described_domains(domains) == shown


def test_routes_in_order_without_what_passes_traffic_on() -> None:
    origin = {"filter_metadata": {"istio": {"config": "/apis/networking.istio.io/v1/namespaces/n/virtual-service/v"}}}
    configs = [
        {"name": "b", "virtual_hosts": [{"name": "empty", "domains": ["x"]}]},
        {
            "name": "9080",
            "virtual_hosts": [
                _host("any", "*", route={"cluster": "PassthroughCluster"}),
                _host("v", "v", match={"safe_regex": {"regex": "a+"}}, metadata=origin),
                _host("w", "w", match={"path_separated_prefix": "/a"}),
            ],
        },
        {"name": "80", "virtual_hosts": []},
    ]
    dump = Dump({"Routes": {"dynamic_route_configs": [{"route_config": each} for each in configs]}})
    found = routes.routes(dump)
    assert [each["name"] for each in found] == ["80", "9080", "b"]
    assert routes.rows(found) == [
        ("9080", "v", "v", "regex a+", "v.n"),
        ("9080", "w", "w", "PathPrefix:/a", ""),
        ("b", "empty", "x", "/*", "404"),
    ]


def test_two_roots_are_two_lines() -> None:
    one, two = Authority("one"), Authority("two")
    leaf = one.issue("spiffe://cluster.local/ns/n/sa/s")

    def secret(name: str, **content: Any) -> dict[str, Any]:
        return {"name": name, "secret": {"name": name, **content}}

    encoded = base64.b64encode((one.root + two.root).encode()).decode()
    unread = of_no_version(one.root.encode()).decode()
    chain = {"tls_certificate": {"certificate_chain": {"inline_string": leaf.certificate + one.root}}}
    section = {
        "dynamic_active_secrets": [
            secret("default", **chain),
            secret("ROOTCA", validation_context={"trusted_ca": {"inline_bytes": encoded}}),
            secret("odd", validation_context={"trusted_ca": {"inline_string": "nothing"}}),
            secret("odder", validation_context={"trusted_ca": {"inline_string": unread}}),
        ],
        "dynamic_warming_secrets": [{"name": "late", "secret": {}}],
    }
    found = secrets.secrets(Dump({"Secrets": section}), NOW)
    assert [(each.name, each.type, each.state, each.valid) for each in found] == [
        ("default", "Cert Chain", "ACTIVE", True),
        ("ROOTCA", "CA", "ACTIVE", True),
        ("ROOTCA", "CA", "ACTIVE", True),
        ("odd", "CA", "ACTIVE", False),
        ("odder", "CA", "ACTIVE", False),
        ("late", "CA", "WARMING", False),
    ]
    assert found[0].identities == ("spiffe://cluster.local/ns/n/sa/s",)
    assert found[0].not_after == "2120-01-01T00:00:00Z"
    assert not any(each.valid for each in secrets.secrets(Dump({"Secrets": section}), datetime(2200, 1, 1, tzinfo=UTC)))
    assert secrets.summary([]) == "No secret items to show.\n"


def test_endpoints_of_every_kind_of_address() -> None:
    health = {"eds_health_status": "UNHEALTHY", "failed_outlier_check": True}
    found: list[dict[str, Any]] = [
        {"name": "b", "host_statuses": [{"address": {"pipe": {"path": "/run/x"}}, "health_status": {}}]},
        {
            "name": "a",
            "host_statuses": [
                {"address": {"socket_address": {"address": "::1", "port_value": 80}}, "health_status": health},
                {"address": {"envoy_internal_address": {"server_listener_name": "l", "endpoint_id": "e"}}},
            ],
        },
    ]
    rows = [line.split() for line in endpoints.summary(found, endpoints.EndpointFilter()).splitlines()[1:]]
    assert rows == [
        ["::1:80", "UNHEALTHY", "FAILED", "a"],
        ["envoy://l/e", "UNKNOWN", "OK", "a"],
        ["unix:///run/x", "UNKNOWN", "OK", "b"],
    ]
    assert endpoints.clusters_with(found, endpoints.EndpointFilter(cluster="B")) == found[:1]


def test_clusters_of_extensions_and_odd_names() -> None:
    found: list[dict[str, Any]] = [{"name": "a|b", "cluster_type": {"name": "envoy.clusters.dynamic_forward_proxy"}}]
    assert clusters.rows(found) == [("a|b", "-", "-", "-", "envoy.clusters.dynamic_forward_proxy", "")]


def test_versions_in_a_bootstrap() -> None:
    build = {"version": {"major_number": 1, "minor_number": 40}}
    found = {"node": {"metadata": {"ISTIO_VERSION": "0.1.0"}, "user_agent_build_version": build}}
    assert bootstrap_summary(found) == "Istio Version:       0.1.0\nEnvoy Version:       1.40.0\n"


def test_names_of_fields_change_and_nothing_else() -> None:
    options = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    cluster = {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "connect_timeout": "1s",
        "metadata": {"filter_metadata": {"a_b": {"c_d": [{"e_f": 1}]}}},
        "typed_extension_protocol_options": {
            "x_y": {"@type": options, "explicit_http_config": {"http2_protocol_options": {}}},
            "z": {"@type": "type.googleapis.com/not.there", "a_b": 1},
        },
        "not_known_yet": {"a_b": 1},
    }
    found = camel(cluster, "envoy.config.cluster.v3.Cluster")
    assert found["connectTimeout"] == "1s"
    assert found["metadata"] == {"filterMetadata": {"a_b": {"c_d": [{"e_f": 1}]}}}
    assert found["typedExtensionProtocolOptions"]["x_y"]["explicitHttpConfig"] == {"http2ProtocolOptions": {}}
    assert found["typedExtensionProtocolOptions"]["z"]["a_b"] == 1
    assert found["not_known_yet"] == {"a_b": 1}
    assert "not_known_yet" not in camel(cluster, "envoy.config.cluster.v3.Cluster", known=True)
    assert camel(cluster, "not.there") is cluster


SYNCZ = [
    {"proxy": "web.shop", "cluster_id": "Kubernetes", "istio_version": "0.1.0", "cluster_sent": "1",
     "cluster_acked": "1", "listener_sent": "2", "listener_acked": "1", "route_sent": "3"},
    {"proxy": "edge.istio-system", "cluster_id": "Kubernetes", "istio_version": "0.1.0", "cluster_sent": "1",
     "cluster_acked": "1"},
]  # fmt: skip


def test_what_is_not_in_sync_stands_out() -> None:
    found = statuses({"istiod-1": SYNCZ})
    assert sync_summary(found).splitlines() == [
        "NAME                  CLUSTER        ISTIOD       VERSION     SUBSCRIBED TYPES",
        "edge.istio-system     Kubernetes     istiod-1     0.1.0       1 (CDS)",
        "web.shop              Kubernetes     istiod-1     0.1.0       3 (CDS,LDS,RDS), STALE: LDS,RDS",
    ]
    wide = sync_summary(statuses({"istiod-1": SYNCZ}, "shop"), wide=True).splitlines()
    assert wide[0].split() == ["NAME", "CLUSTER", "CDS", "LDS", "EDS", "RDS", "ECDS", "ISTIOD", "VERSION"]
    assert "SYNCED     STALE     NOT SENT     STALE (Never Acknowledged)     NOT SENT" in wide[1]
    assert len(wide) == 2


def test_versions() -> None:
    same = Versions("0.1.0", (("istiod-1", "0.1.0"), ("istiod-2", "0.1.0")), (("a.b", "0.1.0"), ("c.d", "0.1.0")))
    assert short(same, remote=True).splitlines() == [
        "client version: 0.1.0",
        "control plane version: 0.1.0",
        "data plane version: 0.1.0 (2 proxies)",
    ]
    assert short(same, remote=False) == "client version: 0.1.0\n"
    mixed = Versions("0.2.0", (("istiod-1", "0.1.0"), ("istiod-2", "0.2.0")))
    assert short(mixed, remote=True).splitlines()[1:] == [
        "istiod-1 version: 0.1.0",
        "istiod-2 version: 0.2.0",
        "data plane version: none",
    ]
    assert "proxy a.b: 0.1.0\n" in long(same, remote=True)
    assert data(same, remote=True)["dataPlaneVersion"][0] == {"ID": "a.b", "IstioVersion": "0.1.0"}
    assert data(same, remote=False) == {"clientVersion": {"version": "0.1.0"}}

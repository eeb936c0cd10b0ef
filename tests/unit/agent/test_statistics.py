"""Which part of a statistic's name becomes which label. Envoy's expressions are ECMAScript's; Python's agree here."""

from __future__ import annotations

import re

import pytest

from lateen.agent.proxy_config import ProxyConfig
from lateen.agent.statistics import BadStats, StatsSettings, stats_config, stats_settings


def _labelled(name: str, settings: StatsSettings = StatsSettings()) -> tuple[str, dict[str, str]]:  # noqa: B008
    found = {}
    rest = name
    for tag in stats_config(settings)["stats_tags"]:
        match = re.search(tag["regex"], name)
        if match:
            found[tag["tag_name"]] = match[2] if match.re.groups > 1 else match[1]
            rest = rest.replace(match[1], "", 1)
    return rest, found


@pytest.mark.parametrize(
    ("name", "rest", "labels"),
    [
        ("cluster.outbound|80|v1|a.b.svc.cluster.local;.upstream_cx_total", "cluster.upstream_cx_total",
         {"cluster_name": "outbound|80|v1|a.b.svc.cluster.local"}),
        ("cluster.outbound|443||www.example.com;.upstream_rq_200", "cluster.upstream_rq",
         {"cluster_name": "outbound|443||www.example.com", "response_code": "200"}),
        ("cluster.xds-grpc.upstream_rq_2xx", "cluster.upstream_rq",
         {"cluster_name": "xds-grpc", "response_code_class": "2xx"}),
        ("http.inbound_0.0.0.0_8080;.downstream_cx_active", "http.downstream_cx_active",
         {"http_conn_manager_prefix": "inbound_0.0.0.0_8080"}),
        ("http.agent.rbac.allowed", "http.rbac",
         {"http_conn_manager_prefix": "agent", "authz_enforce_result": "allowed"}),
        ("listener.0.0.0.0_15006.downstream_cx_active", "listener.downstream_cx_active",
         {"listener_address": "0.0.0.0_15006"}),
        ("listener.[__]_15006.downstream_cx_active", "listener.downstream_cx_active",
         {"listener_address": "[__]_15006"}),
        ("tcp.outbound|9000||tcp.shop.svc.cluster.local;.downstream_cx_total", "tcp.downstream_cx_total",
         {"tcp_prefix": "outbound|9000||tcp.shop.svc.cluster.local"}),
        ("server.live", "server.live", {}),
    ],
)  # fmt: skip
def test_labels(name, rest, labels):
    assert _labelled(name) == (rest, labels)


def _patterns(settings: StatsSettings) -> list[dict]:
    return stats_config(settings)["stats_matcher"]["inclusion_list"]["patterns"]


def test_an_annotation_goes_before_the_configuration():
    config = ProxyConfig(inclusion_prefixes=("configured",), inclusion_suffixes=("also",))
    annotations = {"sidecar.istio.io/statsInclusionPrefixes": "cluster.outbound,http.{pod_ip}_"}
    found = stats_settings(config, annotations, ("10.0.0.1", "10.0.0.2"), count_connections=False)
    assert found.prefixes == ("cluster.outbound", "http.10.0.0.1_", "http.10.0.0.2_")
    assert found.suffixes == ("also",)
    assert {"prefix": "cluster.outbound"} in _patterns(found)


def test_what_readiness_and_dashboards_need_is_always_kept():
    patterns = _patterns(StatsSettings())
    for prefix in ("server", "cluster_manager", "listener_manager", "istio"):
        assert {"prefix": prefix} in patterns
    assert {"suffix": "rbac.denied"} in patterns


def test_connections_are_counted_where_the_end_waits_for_them():
    found = stats_settings(ProxyConfig(), {}, (), count_connections=True)
    assert {"suffix": "downstream_cx_active"} in _patterns(found)


def test_buckets():
    annotations = {"sidecar.istio.io/statsHistogramBuckets": '{"istiocustom": [1, 5], "a": [2.5]}'}
    found = stats_config(stats_settings(ProxyConfig(), annotations, (), count_connections=False))
    assert found["histogram_bucket_settings"] == [
        {"match": {"prefix": "a"}, "buckets": [2.5]},
        {"match": {"prefix": "istiocustom"}, "buckets": [1, 5]},
    ]


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1}', '{"a": ["x"]}'])
def test_buckets_that_are_none(text):
    with pytest.raises(BadStats, match="statsHistogramBuckets"):
        stats_settings(ProxyConfig(), {"sidecar.istio.io/statsHistogramBuckets": text}, (), count_connections=False)


def test_extra_tags_once():
    annotations = {"sidecar.istio.io/extraStatTags": "b,a"}
    found = stats_settings(ProxyConfig(extra_stat_tags=("a",)), annotations, (), count_connections=False)
    assert found.tags == ("a", "b")


@pytest.mark.parametrize(
    ("flush", "eviction", "intervals"),
    [
        ("", "", (5000, 12_600_000)),
        ("10s", "", (10_000, 12_600_000)),
        ("11s", "", (11_000, 12_606_000)),
        ("500ms", "1m", (500, 60_000)),
        ("", "10m", (5000, 600_000)),
    ],
)
def test_statistics_are_flushed_and_dropped_as_often_as_annotations_say(flush, eviction, intervals):
    found = _intervals(flush, eviction)
    assert (found.flush, found.eviction) == intervals
    assert found.eviction % found.flush == 0


@pytest.mark.parametrize(
    ("flush", "eviction", "words"),
    [
        ("5m", "", "statsFlushInterval: 5m is not shorter than 5m"),
        ("soon", "", "statsFlushInterval: 'soon' is not a duration"),
        ("0s", "", "statsFlushInterval: 0s is shorter"),
        ("", "11s", "statsEvictionInterval: 11s is no multiple of 5 s"),
    ],
)
def test_intervals_that_envoy_would_not_take(flush, eviction, words):
    with pytest.raises(BadStats) as caught:
        _intervals(flush, eviction)
    assert words in str(caught.value)


def _intervals(flush: str, eviction: str) -> StatsSettings:
    annotations = {"sidecar.istio.io/statsFlushInterval": flush, "sidecar.istio.io/statsEvictionInterval": eviction}
    return stats_settings(ProxyConfig(), annotations, (), count_connections=False)

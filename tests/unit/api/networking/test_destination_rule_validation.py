from __future__ import annotations

from typing import Any

import pytest

from lateen.api.parse import parse
from lateen.api.schema.fault import Fault, Severity

OUTLIERS = {"consecutive5xxErrors": 3}


def faults(spec: dict[str, Any]) -> tuple[Fault, ...]:
    return parse(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": {"name": "rule", "namespace": "ns"},
            "spec": {"host": "reviews", **spec},
        }
    ).faults


def policy_faults(policy: dict[str, Any]) -> list[tuple[str, Severity]]:
    prefix = "spec.trafficPolicy."
    return [(fault.path.removeprefix(prefix), fault.severity) for fault in faults({"trafficPolicy": policy})]


GOOD: list[dict[str, Any]] = [
    {},
    {"host": "*"},
    {"host": "*.example.com"},
    {"host": "reviews.ns.svc.cluster.local", "exportTo": ["*"]},
    {"exportTo": [".", "other"]},
    {"exportTo": ["."], "workloadSelector": {"matchLabels": {"app": "a"}}},
    {"exportTo": ["ns"], "workloadSelector": {"matchLabels": {"app": "a"}}},
    {"subsets": [{"name": "v1", "labels": {"version": "v1", "a.b/c": ""}}, {"name": "v2", "labels": {"version": "2"}}]},
    {"subsets": [{"name": "sni", "trafficPolicy": {"tls": {"mode": "SIMPLE", "sni": "a.com"}}}]},
]

GOOD_POLICIES: list[dict[str, Any]] = [
    {"loadBalancer": {"simple": "LEAST_REQUEST", "warmup": {"duration": "10s", "minimumPercent": 0, "aggression": 2}}},
    {"loadBalancer": {"consistentHash": {"httpHeaderName": "x", "maglev": {"tableSize": 65537}}}},
    {"loadBalancer": {"consistentHash": {"httpCookie": {"name": "c", "ttl": "0s"}, "ringHash": {}}}},
    {"loadBalancer": {"localityLbSetting": {"distribute": [{"from": "a/*", "to": {"a/*": 80, "b": 20}}]}}},
    {"loadBalancer": {"localityLbSetting": {"failover": [{"from": "a", "to": "b"}]}}, "outlierDetection": OUTLIERS},
    {"connectionPool": {"tcp": {"idleTimeout": "0s", "connectTimeout": "1ms"}}},
    {"connectionPool": {"http": {"useClientProtocol": True, "maxConcurrentStreams": 100}}},
    {"outlierDetection": {"splitExternalLocalOriginErrors": True, "consecutiveLocalOriginFailures": 3}},
    {"tls": {"mode": "SIMPLE", "credentialName": "c"}},
    {"tls": {"mode": "MUTUAL", "clientCertificate": "/c", "privateKey": "/k", "caCertificates": "/r", "caCrl": "/l"}},
    {"tls": {"mode": "MUTUAL", "credentialName": "c", "insecureSkipVerify": True}},
    {"tunnel": {"targetHost": "::1", "targetPort": 443, "protocol": "POST"}},
    {"proxyProtocol": {"version": "V2"}},
    {"retryBudget": {"percent": 12.5, "minRetryConcurrency": 1}},
    {"portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "DISABLE"}}]},
]


@pytest.mark.parametrize("spec", GOOD)
def test_good_rules_have_no_faults(spec: dict[str, Any]) -> None:
    assert faults(spec) == ()


@pytest.mark.parametrize("policy", GOOD_POLICIES)
def test_good_policies_have_no_faults(policy: dict[str, Any]) -> None:
    assert policy_faults(policy) == []


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"host": ""}, "spec.host"),
        ({"host": "a_b"}, "spec.host"),
        ({"host": "a.*.com"}, "spec.host"),
        ({"trafficPolicy": {}}, "spec.trafficPolicy"),
        ({"subsets": [{"name": "v1"}, {"name": "v1"}]}, "spec.subsets[1].name"),
        ({"subsets": [{"name": "v_1"}]}, "spec.subsets[0].name"),
        ({"subsets": [{"name": ""}]}, "spec.subsets[0].name"),
        ({"subsets": [{"name": "v1", "labels": {"version": "v 1"}}]}, "spec.subsets[0].labels[version]"),
        ({"subsets": [{"name": "v1", "labels": {"a/b/c": "x"}}]}, "spec.subsets[0].labels[a/b/c]"),
        ({"subsets": [{"name": "v1", "trafficPolicy": {}}]}, "spec.subsets[0].trafficPolicy"),
        ({"exportTo": ["*", "ns"]}, "spec.exportTo[0]"),
        ({"exportTo": ["~"]}, "spec.exportTo[0]"),
        ({"exportTo": [".", "ns"]}, "spec.exportTo[1]"),
        ({"exportTo": ["other"], "workloadSelector": {"matchLabels": {"a": "b"}}}, "spec.exportTo[0]"),
        ({"workloadSelector": {"matchLabels": {"a": "*"}}}, "spec.workloadSelector.matchLabels[a]"),
        ({"no": 1}, "spec.no"),
    ],
)
def test_faulty_rules_are_rejected_where_they_are_faulty(spec: dict[str, Any], path: str) -> None:
    found = [fault.path for fault in faults(spec) if fault.severity is Severity.ERROR]
    assert found == [path]


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"connectionPool": {}}, "connectionPool"),
        ({"connectionPool": {"http": {"http2MaxRequests": -1}}}, "connectionPool.http.http2MaxRequests"),
        ({"connectionPool": {"http": {"maxConcurrentStreams": -1}}}, "connectionPool.http.maxConcurrentStreams"),
        (
            {"connectionPool": {"http": {"useClientProtocol": True, "h2UpgradePolicy": "UPGRADE"}}},
            "connectionPool.http.useClientProtocol",
        ),
        ({"connectionPool": {"tcp": {"maxConnections": -1}}}, "connectionPool.tcp.maxConnections"),
        ({"connectionPool": {"tcp": {"connectTimeout": "0s"}}}, "connectionPool.tcp.connectTimeout"),
        ({"connectionPool": {"tcp": {"connectTimeout": "1.0001s"}}}, "connectionPool.tcp.connectTimeout"),
        ({"connectionPool": {"tcp": {"idleTimeout": "10us"}}}, "connectionPool.tcp.idleTimeout"),
        ({"outlierDetection": {"interval": "0.1ms"}}, "outlierDetection.interval"),
        ({"outlierDetection": {"maxEjectionPercent": 101}}, "outlierDetection.maxEjectionPercent"),
        (
            {"outlierDetection": {"consecutiveLocalOriginFailures": 1}},
            "outlierDetection.consecutiveLocalOriginFailures",
        ),
        ({"loadBalancer": {"consistentHash": {"maglev": {}}}}, "loadBalancer.consistentHash.maglev.tableSize"),
        (
            {"loadBalancer": {"consistentHash": {"maglev": {"tableSize": 15}}}},
            "loadBalancer.consistentHash.maglev.tableSize",
        ),
        (
            {"loadBalancer": {"consistentHash": {"maglev": {"tableSize": 5000011}}}},
            "loadBalancer.consistentHash.maglev.tableSize",
        ),
        (
            {"loadBalancer": {"consistentHash": {"ringHash": {"minimumRingSize": 8388609}}}},
            "loadBalancer.consistentHash.ringHash.minimumRingSize",
        ),
        (
            {"loadBalancer": {"localityLbSetting": {"distribute": [{"from": "a", "to": {"a": 90}}]}}},
            "loadBalancer.localityLbSetting.distribute[0].to",
        ),
        (
            {"loadBalancer": {"localityLbSetting": {"distribute": [{"from": "a", "to": {"a/*": 90, "a/b": 10}}]}}},
            "loadBalancer.localityLbSetting.distribute[0].to",
        ),
        (
            {"loadBalancer": {"localityLbSetting": {"distribute": [{"from": "*/a", "to": {"b": 100}}]}}},
            "loadBalancer.localityLbSetting.distribute",
        ),
        (
            {"outlierDetection": OUTLIERS, "loadBalancer": {"localityLbSetting": {"failover": [{"from": "a"}]}}},
            None,
        ),
        (
            {
                "outlierDetection": OUTLIERS,
                "loadBalancer": {"localityLbSetting": {"failover": [{"from": "a", "to": "a"}]}},
            },
            "loadBalancer.localityLbSetting.failover[0].to",
        ),
        (
            {
                "outlierDetection": OUTLIERS,
                "loadBalancer": {"localityLbSetting": {"failover": [{"from": "a/b", "to": "c"}]}},
            },
            "loadBalancer.localityLbSetting.failover[0].from",
        ),
        ({"tls": {"mode": "MUTUAL", "clientCertificate": "/c"}}, "tls.privateKey"),
        ({"tls": {"mode": "SIMPLE", "credentialName": "c", "caCertificates": "/c"}}, "tls.caCertificates"),
        ({"tls": {"mode": "SIMPLE", "insecureSkipVerify": True, "caCertificates": "/c"}}, "tls.caCertificates"),
        ({"tunnel": {"targetHost": "a b", "targetPort": 1}}, "tunnel.targetHost"),
        ({"tunnel": {"targetHost": "a.com", "targetPort": 0}}, "tunnel.targetPort"),
        ({"tunnel": {"targetHost": "a.com", "targetPort": 1, "protocol": "GET"}}, "tunnel.protocol"),
        ({"tunnel": {"targetHost": "a.com", "targetPort": 1}, "proxyProtocol": {}}, "proxyProtocol"),
        ({"portLevelSettings": [{"tls": {"mode": "DISABLE"}}]}, "portLevelSettings[0].port"),
        ({"portLevelSettings": [{"port": {"number": 80}}]}, "portLevelSettings[0]"),
        ({"retryBudget": {"percent": 101}}, "retryBudget.percent"),
    ],
)
def test_faulty_policies_are_rejected_where_they_are_faulty(policy: dict[str, Any], path: str | None) -> None:
    found = [where for where, severity in policy_faults(policy) if severity is Severity.ERROR]
    assert found == ([path] if path is not None else [])


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"outlierDetection": {"consecutiveErrors": 3}}, "outlierDetection.consecutiveErrors"),
        ({"loadBalancer": {"consistentHash": {"minimumRingSize": 10}}}, "loadBalancer.consistentHash.minimumRingSize"),
        ({"loadBalancer": {"simple": "RANDOM", "warmup": {"duration": "1s"}}}, "loadBalancer.warmup"),
        (
            {"loadBalancer": {"localityLbSetting": {"failover": [{"from": "a", "to": "b"}]}}},
            "loadBalancer.localityLbSetting",
        ),
        ({"tls": {"mode": "DISABLE", "sni": "a.com"}}, "tls.sni"),
        ({"tls": {"mode": "ISTIO_MUTUAL", "caCertificates": "/c"}}, "tls.caCertificates"),
        (
            {"portLevelSettings": [{"port": {"number": 80}, "tls": {}}, {"port": {"number": 80}, "tls": {}}]},
            "portLevelSettings[1].port.number",
        ),
    ],
)
def test_what_has_no_effect_is_warned_of(policy: dict[str, Any], path: str) -> None:
    assert policy_faults(policy) == [(path, Severity.WARNING)]


def test_a_selector_without_labels_is_warned_of() -> None:
    (fault,) = faults({"workloadSelector": {}})
    assert (fault.path, fault.severity) == ("spec.workloadSelector", Severity.WARNING)

"""Envoy's judgement of whatever DestinationRules can say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lateen.model.proxy import Traits
from lateen.testing.certificates import Authority
from lateen.testing.envoy import accepts
from lateen.testing.mesh import Mesh
from lateen.testing.outbound_clusters import DISTRIBUTE, FAILOVER, OUTLIERS, REVIEWS, entry, made, rule
from lateen.translate.resource import Resource, ResourceType


@pytest.fixture(scope="module")
def traits(tmp_path_factory: pytest.TempPathFactory) -> Traits:
    """Envoy refuses to watch files that are not there."""
    directory = tmp_path_factory.mktemp("certificates")
    own = Authority().workload(directory, "spiffe://cluster.local/ns/default/sa/client")
    return Traits(certificates=own)


WHOLE: list[dict[str, Any]] = [
    {"loadBalancer": {"simple": "ROUND_ROBIN", "warmup": {"duration": "5s", "aggression": 2, "minimumPercent": 0}}},
    {"loadBalancer": {"simple": "PASSTHROUGH"}, "proxyProtocol": {"version": "V1"}},
    {"loadBalancer": {"consistentHash": {"httpHeaderName": "a", "maglev": {"tableSize": 65537}}}},
    {"loadBalancer": {"consistentHash": {"useSourceIp": True, "ringHash": {"minimumRingSize": 8388608}}}},
    {"loadBalancer": {**DISTRIBUTE, "simple": "RANDOM"}, "outlierDetection": {"minHealthPercent": 10, **OUTLIERS}},
    {"outlierDetection": {"splitExternalLocalOriginErrors": True, "consecutiveLocalOriginFailures": 1}},
    {"connectionPool": {"http": {"useClientProtocol": True, "maxConcurrentStreams": 2147483647, "idleTimeout": "1ms"}}},
    {"connectionPool": {"tcp": {"idleTimeout": "0s", "tcpKeepalive": {}}}, "retryBudget": {}},
    {"tls": {"mode": "SIMPLE"}},
    {"tls": {"mode": "SIMPLE", "insecureSkipVerify": True}, "proxyProtocol": {}},
    {"tls": {"mode": "ISTIO_MUTUAL", "subjectAltNames": ["a.com", "spiffe://a/b"]}},
    {"tls": {"mode": "MUTUAL", "credentialName": "c"}},
    {"tls": {"mode": "MUTUAL", "clientCertificate": "/c", "privateKey": "/k", "caCertificates": "/r", "caCrl": "/l"}},
]


def wildcard(policy: dict[str, Any]) -> dict[str, Any]:
    return {"host": "*.example.com", "trafficPolicy": policy}


def test_envoy_accepts_them_all(traits: Traits) -> None:
    found: list[Resource] = []
    for policy in (None, *WHOLE):
        mesh = Mesh(REVIEWS, rule(policy, subsets=[{"name": "v1", "labels": {"version": "v1"}}]))
        found += made(mesh, mesh.proxy(traits=traits)) + made(mesh, mesh.gateway(traits=traits))
    for resolution in ("NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"):
        for families in ((True, False), (False, True), (True, True)):
            own = Traits(ipv4=families[0], ipv6=families[1], certificates=traits.certificates)
            names = ["*.example.com"] if resolution == "DYNAMIC_DNS" else ["a.example.com"]
            mesh = Mesh(entry(resolution, hosts=names))
            found += made(mesh, mesh.proxy(traits=own)) + made(mesh, mesh.gateway(traits=own))
    for tls in ({}, {"sni": "a.com"}, {"subjectAltNames": ["a.com"]}, {"insecureSkipVerify": True}):
        policy = {"tls": {"mode": "SIMPLE", **tls}}
        mesh = Mesh(entry("DYNAMIC_DNS", hosts=["*.example.com"]), rule(policy) | {"spec": wildcard(policy)})
        found += made(mesh, mesh.proxy(traits=traits))
    for compliance in ("fips-140-2", "pqc"):
        mesh = Mesh(REVIEWS)
        mesh.mesh_config(f"compliancePolicy: {compliance}")
        found += made(mesh, mesh.proxy(traits=traits))
    accepts({ResourceType.CDS: found})


MILLISECONDS = st.integers(1, 10**7).map(lambda count: f"{count}ms")
COUNTS = st.integers(0, 2**31 - 1)
UNSIGNED = st.integers(0, 2**32 - 1)
PERCENT = st.integers(0, 100)


def some(fields: dict[str, st.SearchStrategy[Any]], **needed: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with any of the fields, and all that are needed."""
    return st.fixed_dictionaries(needed, optional=fields)


PRIMES = st.sampled_from([2, 3, 7, 1021, 65537, 4999999])
POOLS = st.fixed_dictionaries(
    {},
    optional={
        "http": some(
            {
                "http1MaxPendingRequests": COUNTS,
                "http2MaxRequests": COUNTS,
                "maxRequestsPerConnection": COUNTS,
                "maxRetries": COUNTS,
                "idleTimeout": MILLISECONDS,
                "h2UpgradePolicy": st.sampled_from(["DEFAULT", "DO_NOT_UPGRADE"]),
                "useClientProtocol": st.booleans(),
                "maxConcurrentStreams": COUNTS,
            }
        ),
        "tcp": some(
            {
                "maxConnections": COUNTS,
                "connectTimeout": MILLISECONDS,
                "maxConnectionDuration": MILLISECONDS,
                "idleTimeout": MILLISECONDS | st.just("0s"),
                "tcpKeepalive": some({"probes": UNSIGNED, "time": MILLISECONDS, "interval": MILLISECONDS}),
            }
        ),
    },
).filter(bool)
WARMUP = some(
    {"minimumPercent": st.floats(0, 100), "aggression": st.floats(0.01, 10)},
    duration=MILLISECONDS,
)
BALANCERS = st.one_of(
    some(
        {"warmup": WARMUP, "warmupDurationSecs": MILLISECONDS},
        simple=st.sampled_from(["UNSPECIFIED", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN"]),
    ),
    some(
        {},
        consistentHash=st.one_of(
            some({"ringHash": some({"minimumRingSize": st.integers(0, 8388608)})}, httpHeaderName=st.just("a")),
            some({}, useSourceIp=st.just(True), maglev=some({}, tableSize=PRIMES)),
            some({"minimumRingSize": st.integers(1, 8388608)}, httpQueryParameterName=st.just("a")),
        ),
    ),
    some({}, localityLbSetting=st.sampled_from([DISTRIBUTE["localityLbSetting"], FAILOVER["localityLbSetting"]])),
)
OUTLIER_SETTINGS = st.one_of(
    some(
        {
            "consecutiveGatewayErrors": UNSIGNED,
            "consecutive5xxErrors": UNSIGNED,
            "interval": MILLISECONDS,
            "baseEjectionTime": MILLISECONDS,
            "maxEjectionPercent": PERCENT,
            "minHealthPercent": PERCENT,
        }
    ),
    some({"consecutiveLocalOriginFailures": UNSIGNED}, splitExternalLocalOriginErrors=st.just(True)),
)
TLS = st.sampled_from(
    [
        {"mode": "DISABLE"},
        {"mode": "ISTIO_MUTUAL"},
        {"mode": "ISTIO_MUTUAL", "sni": "a.com", "subjectAltNames": ["a.com"]},
        {"mode": "SIMPLE"},
        {"mode": "SIMPLE", "sni": "a.com"},
        {"mode": "SIMPLE", "subjectAltNames": ["*.a.com", "10.0.0.1", "::1"]},
        {"mode": "SIMPLE", "insecureSkipVerify": True},
        {"mode": "MUTUAL", "credentialName": "c"},
    ]
)
PER_PORT = {"loadBalancer": BALANCERS, "connectionPool": POOLS, "outlierDetection": OUTLIER_SETTINGS, "tls": TLS}
POLICIES = some(
    {
        **PER_PORT,
        "proxyProtocol": st.sampled_from([{}, {"version": "V2"}]),
        "retryBudget": some({"percent": st.floats(0, 100), "minRetryConcurrency": UNSIGNED}),
        "portLevelSettings": st.lists(
            some(PER_PORT, port=st.integers(80, 83).map(lambda number: {"number": number})).filter(
                lambda each: len(each) > 1
            ),
            min_size=1,
            max_size=2,
        ),
    }
).filter(bool)


def batch(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Runs a function with so many generated arguments."""
    return settings(max_examples=count, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


def test_envoy_accepts_whatever_rules_say(traits: Traits) -> None:
    found: list[Resource] = []

    @batch(50)
    @given(POLICIES, POLICIES)
    def of_the_mesh(policy: dict[str, Any], special: dict[str, Any]) -> None:
        mesh = Mesh(REVIEWS, rule(policy, subsets=[{"name": "v1", "trafficPolicy": special}]))
        found.extend(made(mesh, mesh.proxy(traits=traits)) + made(mesh, mesh.gateway(traits=traits)))

    @batch(50)
    @given(POLICIES, st.sampled_from(["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]))
    def beyond_the_mesh(policy: dict[str, Any], resolution: str) -> None:
        host = "*.example.com" if resolution == "DYNAMIC_DNS" else "a.example.com"
        declared = rule(policy)
        declared["spec"]["host"] = host
        mesh = Mesh(entry(resolution, hosts=[host]), declared)
        found.extend(made(mesh, mesh.proxy(traits=traits)) + made(mesh, mesh.gateway(traits=traits)))

    of_the_mesh()
    beyond_the_mesh()
    assert len(found) == 50 * 2 * 8 + 50 * 2
    accepts({ResourceType.CDS: found})

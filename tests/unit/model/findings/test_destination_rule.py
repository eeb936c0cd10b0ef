from __future__ import annotations

from typing import Any

import pytest

from lateen.api.objects import Key
from lateen.api.schema.fault import Severity
from lateen.model.findings.destination_rule import destination_rule_findings
from lateen.testing.mesh import Mesh, endpoint_slice

REVIEWS = """
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {clusterIP: 10.0.0.1, selector: {app: reviews}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
kind: Pod
metadata: {name: reviews-1, namespace: shop, labels: {app: reviews, version: v1}}
spec: {containers: [{name: c}]}
status: {podIP: 10.1.0.1, podIPs: [{ip: 10.1.0.1}]}
"""
SLICE = endpoint_slice("reviews", "shop", ports={"http": 8080}, pods={"reviews-1": "10.1.0.1"})


def rule(name: str = "rule", created: str = "2024-01-02", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "DestinationRule",
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": f"{created}T00:00:00Z"},
        "spec": {"host": "reviews", **spec},
    }


def findings(*more: Any, **spec: Any) -> list[tuple[str, str]]:
    found = Mesh(REVIEWS, SLICE, rule(**spec), *more).get(destination_rule_findings, Key("shop", "rule"))
    assert all(fault.severity is Severity.WARNING for fault in found)
    return [(fault.path, fault.code) for fault in found]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"host": "*.svc.cluster.local"},
        {"host": "reviews.shop.svc.cluster.local"},
        {"subsets": [{"name": "v1", "labels": {"version": "v1"}}, {"name": "all"}]},
        {"trafficPolicy": {"portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "DISABLE"}}]}},
    ],
)
def test_a_rule_that_is_as_it_should_be(spec: dict[str, Any]) -> None:
    assert findings(**spec) == []


@pytest.mark.parametrize("host", ["ratings", "reviews.other.svc.cluster.local", "*.example.com"])
def test_a_host_that_no_service_has(host: str) -> None:
    assert findings(host=host) == [("spec.host", "IST0101")]


def test_a_port_that_the_service_does_not_have() -> None:
    settings = {"portLevelSettings": [{"port": {"number": 81}, "tls": {"mode": "DISABLE"}}]}
    assert findings(trafficPolicy=settings) == [("spec.trafficPolicy.portLevelSettings[0].port.number", "IST0101")]
    path = "spec.subsets[0].trafficPolicy.portLevelSettings[0].port.number"
    assert findings(subsets=[{"name": "v1", "trafficPolicy": settings}]) == [(path, "IST0101")]


def test_a_subset_without_endpoints() -> None:
    subsets = [{"name": "v1", "labels": {"version": "v1"}}, {"name": "v2", "labels": {"version": "v2"}}]
    assert findings(subsets=subsets) == [("spec.subsets[1]", "IST0173")]


POLICY = """
kind: PeerAuthentication
metadata: {{name: default, namespace: shop}}
spec: {{mtls: {{mode: {mode}}}}}
"""


@pytest.mark.parametrize(
    ("mode", "tls", "conflicts"),
    [
        ("STRICT", "DISABLE", True),
        ("STRICT", "ISTIO_MUTUAL", False),
        ("DISABLE", "ISTIO_MUTUAL", True),
        ("DISABLE", "DISABLE", False),
        ("PERMISSIVE", "DISABLE", False),
        ("PERMISSIVE", "ISTIO_MUTUAL", False),
    ],
)
def test_tls_that_the_workloads_refuse(mode: str, tls: str, conflicts: bool) -> None:
    found = findings(POLICY.format(mode=mode), trafficPolicy={"tls": {"mode": tls}})
    assert found == ([("spec.trafficPolicy.tls.mode", "IST0113")] if conflicts else [])


def test_tls_that_the_workloads_refuse_on_one_port() -> None:
    policy = """
kind: PeerAuthentication
metadata: {name: reviews, namespace: shop}
spec: {selector: {matchLabels: {app: reviews}}, portLevelMtls: {8080: {mode: STRICT}}}
"""
    settings = {"portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "DISABLE"}}]}
    assert findings(policy, trafficPolicy=settings) == [("spec.trafficPolicy.portLevelSettings[0].tls.mode", "IST0113")]


def test_what_an_older_rule_takes_from_it() -> None:
    older = rule("older", "2024-01-01", subsets=[{"name": "v1"}], trafficPolicy={"loadBalancer": {"simple": "RANDOM"}})
    found = findings(older, subsets=[{"name": "v1"}, {"name": "v2"}], trafficPolicy={"tls": {"mode": "ISTIO_MUTUAL"}})
    assert found == [("spec.trafficPolicy", ""), ("spec.subsets[0]", "")]
    younger = rule("younger", "2024-01-03", trafficPolicy={"loadBalancer": {"simple": "RANDOM"}})
    assert findings(younger, trafficPolicy={"tls": {"mode": "ISTIO_MUTUAL"}}) == []


def test_credentials_that_sidecars_do_not_get() -> None:
    policy = {"tls": {"mode": "SIMPLE", "credentialName": "c"}}
    assert findings(trafficPolicy=policy) == [("spec.trafficPolicy.tls.credentialName", "")]
    assert findings(trafficPolicy=policy, workloadSelector={"matchLabels": {"app": "a"}}) == []


def test_credentials_that_nobody_serves() -> None:
    policy = {"tls": {"mode": "SIMPLE", "credentialName": "configmap://shop/ca"}}
    selector = {"workloadSelector": {"matchLabels": {"app": "a"}}}
    assert findings(trafficPolicy=policy, **selector) == [("spec.trafficPolicy.tls.credentialName", "")]


def test_there_is_nothing_to_say_of_a_rule_that_is_not_there() -> None:
    assert Mesh().get(destination_rule_findings, Key("shop", "rule")) == ()

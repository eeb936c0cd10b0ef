from __future__ import annotations

from typing import Any

import pytest

from lateen.api.kinds import kind_of
from lateen.api.parse import parse_as
from lateen.api.schema.fault import Severity

KIND = kind_of("security.istio.io/v1", "AuthorizationPolicy")


def faults(spec: dict[str, Any], severity: Severity = Severity.ERROR) -> list[tuple[str, str]]:
    assert KIND is not None
    parsed = parse_as(KIND, {"metadata": {"name": "a"}, "spec": spec})
    return [(fault.path, fault.message) for fault in parsed.faults if fault.severity is severity]


def rule(**fields: Any) -> dict[str, Any]:
    return {"rules": [fields]}


def source(**fields: Any) -> dict[str, Any]:
    return rule(**{"from": [{"source": fields}]})


def operation(**fields: Any) -> dict[str, Any]:
    return rule(to=[{"operation": fields}])


def when(key: str, *values: str) -> dict[str, Any]:
    return rule(when=[{"key": key, "values": list(values)}])


SOURCE = "spec.rules[0].from[0].source"
OPERATION = "spec.rules[0].to[0].operation"
WHEN = "spec.rules[0].when[0]"


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"action": "ALLOW"},
        {"action": "DENY", "rules": [{}]},
        {"action": "AUDIT"},
        {"action": "CUSTOM", "provider": {"name": "ext"}, "rules": [{"to": [{"operation": {"paths": ["/a"]}}]}]},
        source(principals=["*"], namespaces=["a", "b*"], ipBlocks=["10.0.0.0/8", "::1", "1.2.3.4"]),
        source(serviceAccounts=["a", "ns/a"], notRequestPrincipals=["iss/*"]),
        source(trustDomains=["cluster.local"], notTrustDomains=["old-*"]),
        operation(hosts=["a"], ports=["0", "65535"], methods=["GET"], paths=["/a*", "*a", "/{*}/b/{**}"]),
        when("request.headers[x-a]", "b"),
        when("request.auth.claims[iss]", "b"),
        when("request.auth.claims[a][b]", "b"),
        when("destination.port", "80"),
        when("source.ip", "10.0.0.0/8"),
        when("connection.sni", "a"),
        when("experimental.envoy.filters.network.mysql_proxy[db.table]", "b"),
        rule(when=[{"key": "source.principal", "notValues": ["a"]}]),
    ],
)
def test_good_policies_pass(spec: dict[str, Any]) -> None:
    assert faults(spec) == []


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        ({"action": "DENY"}, "spec.rules", "missing: DENY without rules never matches"),
        ({"action": "CUSTOM", "provider": {"name": "a"}}, "spec.rules", "missing: CUSTOM without rules"),
        ({"action": "CUSTOM", "rules": [{}]}, "spec.provider.name", "missing"),
        ({"action": "CUSTOM", "rules": [{}], "provider": {}}, "spec.provider.name", "missing"),
        ({"provider": {"name": "a"}}, "spec.provider", "may be set only when action is CUSTOM, not ALLOW"),
        (rule(**{"from": [{}]}), SOURCE, "missing"),
        (source(), SOURCE, "the source is empty"),
        (source(principals=[""]), f"{SOURCE}.principals[0]", "expected a value"),
        (source(notTrustDomains=[""]), f"{SOURCE}.notTrustDomains[0]", "expected a value"),
        (source(ipBlocks=["10.0.0.0/33"]), f"{SOURCE}.ipBlocks[0]", "expected an IP address or a CIDR range"),
        (source(ipBlocks=["10.0.0.0/255.0.0.0"]), f"{SOURCE}.ipBlocks[0]", "expected an IP address or a CIDR range"),
        (source(notRemoteIpBlocks=["a"]), f"{SOURCE}.notRemoteIpBlocks[0]", "expected an IP address or a CIDR range"),
        (
            source(serviceAccounts=["a*"]),
            f"{SOURCE}.serviceAccounts[0]",
            "expected a service account without wildcards",
        ),
        (source(serviceAccounts=["a/b/c"]), f"{SOURCE}.serviceAccounts[0]", "expected NAME or NAMESPACE/NAME"),
        (source(notServiceAccounts=["/a"]), f"{SOURCE}.notServiceAccounts[0]", "expected NAME or NAMESPACE/NAME"),
        (source(serviceAccounts=["a"], namespaces=["b"]), SOURCE, "serviceAccounts and notServiceAccounts cannot be"),
        (source(serviceAccounts=["a"] * 17), f"{SOURCE}.serviceAccounts", "expected at most 16 items, got 17"),
        (rule(to=[{}]), OPERATION, "missing"),
        (operation(), OPERATION, "the operation is empty"),
        (operation(ports=["65536"]), f"{OPERATION}.ports[0]", "expected a port"),
        (operation(notPorts=["http"]), f"{OPERATION}.notPorts[0]", "expected a port"),
        (operation(paths=["/a", ""]), f"{OPERATION}.paths[1]", "expected a value"),
        (operation(paths=["/{a}"]), f"{OPERATION}.paths[0]", "expected `{*}` or `{**}` as whole segments"),
        (operation(paths=["/{**}/{*}"]), f"{OPERATION}.paths[0]", "expected nothing that matches after {**}"),
        (operation(notPaths=["/{*}/a b"]), f"{OPERATION}.notPaths[0]", "expected segments of a path"),
        (when(""), f"{WHEN}.key", "expected the name of an attribute"),
        (when("source.ip"), WHEN, "values or notValues must be set for source.ip"),
        (when("source.ip", "x"), f"{WHEN}.values[0]", "expected an IP address"),
        (when("destination.port", "x"), f"{WHEN}.values[0]", "expected a port"),
        (when("source.principal", ""), f"{WHEN}.values[0]", "expected a value"),
        (when("source.pod", "a"), f"{WHEN}.key", "unknown attribute 'source.pod'; expected one of source.ip"),
        (when("request.headers", "a"), f"{WHEN}.key", "expected request.headers[NAME]"),
        (when("request.headers[]", "a"), f"{WHEN}.key", "expected request.headers[NAME]"),
        (when("destination.labels[a]", "a"), f"{WHEN}.key", "the attribute destination.labels is no longer supported"),
        ({"targetRef": {"kind": "Pod", "name": "a"}}, "spec.targetRef.kind", "expected one of"),
        (
            {"targetRef": {"kind": "Service", "name": "a"}, "selector": {"matchLabels": {"a": "b"}}},
            "spec",
            "only one of selector, targetRef and targetRefs may be set",
        ),
    ],
)
def test_bad_policies_are_told_where(spec: dict[str, Any], path: str, message: str) -> None:
    ((where, what),) = faults(spec)
    assert where == path
    assert what.startswith(message)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"from": [{"source": {"principals": ["a"]}}]}, f"{SOURCE}.principals"),
        ({"from": [{"source": {"notNamespaces": ["a"]}}]}, f"{SOURCE}.notNamespaces"),
        ({"from": [{"source": {"serviceAccounts": ["a"]}}]}, f"{SOURCE}.serviceAccounts"),
        ({"from": [{"source": {"requestPrincipals": ["a"]}}]}, f"{SOURCE}.requestPrincipals"),
        ({"when": [{"key": "source.namespace", "values": ["a"]}]}, f"{WHEN}.key"),
        ({"when": [{"key": "request.auth.claims[a]", "values": ["a"]}]}, f"{WHEN}.key"),
    ],
)
def test_extensions_are_asked_before_peers_are_known(fields: dict[str, Any], path: str) -> None:
    ((where, what),) = faults({"action": "CUSTOM", "provider": {"name": "a"}, **rule(**fields)})
    assert where == path
    assert "not supported with the action CUSTOM" in what


@pytest.mark.parametrize(
    ("fields", "warned"),
    [
        ({"to": [{"operation": {"methods": ["GET"]}}]}, True),
        ({"to": [{"operation": {"methods": ["GET"], "ports": ["80"]}}]}, False),
        ({"from": [{"source": {"requestPrincipals": ["a"]}}]}, True),
        ({"from": [{"source": {"namespaces": ["a"]}}]}, False),
        ({"from": [{"source": {"namespaces": ["a"]}}], "to": [{"operation": {"paths": ["/a"]}}]}, True),
        ({}, False),
    ],
)
def test_rules_that_deny_all_of_tcp_are_warned_about(fields: dict[str, Any], warned: bool) -> None:
    found = faults({"action": "DENY", **rule(**fields)}, Severity.WARNING)
    assert [path for path, _ in found] == (["spec.rules[0]"] if warned else [])
    assert faults({"action": "ALLOW", **rule(**fields)}, Severity.WARNING) == []


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        (operation(paths=["a/{*}"]), f"{OPERATION}.paths[0]", "expected a template that begins with /"),
        (operation(paths=["/a//{*}"]), f"{OPERATION}.paths[0]", "expected segments of a path in the template, got ''"),
        (operation(paths=["/a b/{*}"]), f"{OPERATION}.paths[0]", "expected segments of a path in the template"),
        (operation(paths=["/{*}" + "/a" * 200]), f"{OPERATION}.paths[0]", "expected a template of at most 256"),
        (source(ipBlocks=["fe80::1%eth0"]), f"{SOURCE}.ipBlocks[0]", "expected an IP address"),
        (source(principals=["a" * 2049]), f"{SOURCE}.principals[0]", "expected a value of at most 2048 characters"),
        (source(principals=["\ud800"]), f"{SOURCE}.principals[0]", "expected characters of Unicode"),
        (when("request.headers[a b]", "c"), f"{WHEN}.key", "expected request.headers[NAME] with the name of a header"),
        (when("request.headers[a\n]", "c"), f"{WHEN}.key", "expected request.headers[NAME] with the name of a header"),
        (when("request.headersx[a]", "c"), f"{WHEN}.key", "unknown attribute"),
        (when("experimental.envoy.filters.a[\udfff]", "c"), f"{WHEN}.key", "expected characters of Unicode"),
    ],
)
def test_what_envoy_would_refuse_or_not_survive(spec: dict[str, Any], path: str, message: str) -> None:
    """An Envoy that refuses a listener keeps the old one, without the policy."""
    ((where, what),) = faults(spec)
    assert where == path
    assert what.startswith(message)


@pytest.mark.parametrize("path", ["/a/{*}", "/{**}", "/{**}/b", "/a/{*}/", "/a%2F/{*}/{**}", "/", "/a*", "*"])
def test_good_paths(path: str) -> None:
    assert faults(operation(paths=[path])) == []

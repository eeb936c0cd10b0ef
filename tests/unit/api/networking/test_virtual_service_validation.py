from __future__ import annotations

from typing import Any

import pytest

from lateen.api.parse import parse
from lateen.api.schema.fault import Fault, Severity

ROUTE = {"route": [{"destination": {"host": "reviews"}}]}


def faults(spec: dict[str, Any], namespace: str = "default") -> list[Fault]:
    document = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "v", "namespace": namespace},
        "spec": spec,
    }
    return list(parse(document).faults)


def http(**fields: Any) -> dict[str, Any]:
    return {"hosts": ["reviews"], "http": [{**ROUTE, **fields}]}


def match(**fields: Any) -> dict[str, Any]:
    return http(match=[fields])


def only(**fields: Any) -> dict[str, Any]:
    """A route without destinations."""
    return {"hosts": ["reviews"], "http": [fields]}


def tls(**fields: Any) -> dict[str, Any]:
    route = {"match": [{"sniHosts": ["a.com"]}], **ROUTE, **fields}
    return {"hosts": ["a.com"], "tls": [route]}


def tcp(**fields: Any) -> dict[str, Any]:
    return {"hosts": ["a.com"], "tcp": [{**ROUTE, **fields}]}


def weighted(*weights: int) -> dict[str, Any]:
    return only(route=[{"destination": {"host": "a"}, "weight": weight} for weight in weights])


ACCEPTED = [
    http(),
    {"http": [ROUTE]},
    {"hosts": ["*"], "gateways": ["gw"], "http": [ROUTE]},
    {"hosts": ["10.0.0.1", "2001:db8::1", "*.a.com"], "gateways": ["ns/gw"], "http": [ROUTE]},
    {"hosts": ["outbound_.80_._.a.com"], "gateways": ["gw"], "tls": [
        {"match": [{"sniHosts": ["outbound_.80_._.a.com"]}], **ROUTE}]},
    http(name="n", timeout="1s", retries={"attempts": 3, "retryOn": "5xx, 503,retriable-4xx", "perTryTimeout": "2s"}),
    http(retries={"attempts": 0}),
    http(rewrite={"uri": "/a", "authority": "b"}),
    http(rewrite={"uriRegexRewrite": {"match": "^/a/(.*)$", "rewrite": "/b/\\1"}}),
    match(uri={"prefix": ""}, method={"exact": "GET"}, headers={"x": {}, "y": {"regex": "a|b"}}),
    match(withoutHeaders={"x": {"regex": "*"}}, queryParams={"q": {"regex": "[0-9]+"}}, port=80),
    match(sourceLabels={"app.kubernetes.io/name": "a"}, sourceNamespace="b"),
    match(gateways=["mesh", "ns/gw"]),
    only(redirect={"uri": "/x", "redirectCode": 302, "derivePort": "FROM_REQUEST_PORT"}),
    only(directResponse={"status": 503, "body": {"string": "no"}}),
    only(directResponse={"status": 200, "body": {"bytes": "aGk="}}),
    http(fault={"abort": {"grpcStatus": "UNAVAILABLE", "percentage": {"value": 0.1}}}),
    http(corsPolicy={"allowOrigins": [{"regex": ".*"}], "allowMethods": ["GET", "*"], "maxAge": "24h"}),
    http(mirrors=[{"destination": {"host": "a"}, "percentage": {"value": 50}}]),
    http(headers={"request": {"set": {":authority": "a"}, "add": {"x": "100%% of %PROTOCOL%"}, "remove": ["y"]}}),
    only(delegate={"name": "d", "namespace": "n"}, match=[{"uri": {"regex": "/a.*"}}]),
    weighted(1, 0, 7),
    tls(match=[{"sniHosts": ["a.com"], "port": 443, "destinationSubnets": ["10.0.0.0/8", "::1"]}]),
    {"hosts": ["*.a.com"], "tls": [{"match": [{"sniHosts": ["b.a.com", "*.c.a.com"]}], **ROUTE}]},
    tcp(match=[{"port": 27017, "sourceLabels": {"a": "b"}}]),
    {**http(), "exportTo": [".", "other"]},
    {"hosts": ["a.com"], "gateways": ["gw"], "http": [
        {**ROUTE, "match": [{"headers": {"@request.auth.claims.group": {"exact": "a"}}}]}]},
]  # fmt: skip


@pytest.mark.parametrize("spec", ACCEPTED, ids=str)
def test_taken_without_a_word(spec: dict[str, Any]) -> None:
    assert faults(spec) == []


REJECTED = [
    ({"hosts": ["a.com"]}, "spec"),
    ({"gateways": ["gw"], "http": [ROUTE]}, "spec.gateways"),
    ({"http": [ROUTE], "tcp": [ROUTE]}, "spec.tcp"),
    ({"hosts": ["*"], "http": [ROUTE]}, "spec.hosts[0]"),
    ({"hosts": ["*"], "gateways": ["gw", "mesh"], "http": [ROUTE]}, "spec.hosts[0]"),
    ({"hosts": ["a_b.com"], "http": [ROUTE]}, "spec.hosts[0]"),
    ({"hosts": ["a.*.com"], "http": [ROUTE]}, "spec.hosts[0]"),
    ({"hosts": ["a.com", "b.com", "a.com"], "http": [ROUTE]}, "spec.hosts[2]"),
    ({"hosts": ["*.com", "a.com"], "http": [ROUTE]}, "spec.hosts[1]"),
    ({"hosts": ["a.com", "*.com"], "http": [ROUTE]}, "spec.hosts[1]"),
    ({"hosts": ["*.com", "*.a.com"], "http": [ROUTE]}, "spec.hosts[1]"),
    ({**http(), "gateways": ["a/b/c"]}, "spec.gateways[0]"),
    ({**http(), "gateways": ["_/b"]}, "spec.gateways[0]"),
    ({**http(), "exportTo": ["*", "a"]}, "spec.exportTo[0]"),
    ({**http(), "exportTo": ["~"]}, "spec.exportTo[0]"),
    ({**http(), "exportTo": [".", "default"]}, "spec.exportTo[1]"),
    ({**http(), "exportTo": ["a/b"]}, "spec.exportTo[0]"),
    (only(), "spec.http[0]"),
    (only(redirect={}), "spec.http[0].redirect"),
    (http(redirect={"uri": "/"}), "spec.http[0].redirect"),
    (http(directResponse={"status": 200}), "spec.http[0].directResponse"),
    (only(redirect={"uri": "/"}, rewrite={"uri": "/"}), "spec.http[0].rewrite"),
    (only(directResponse={"status": 200}, fault={"abort": {"httpStatus": 500}}), "spec.http[0].fault"),
    (only(directResponse={"status": 600}), "spec.http[0].directResponse.status"),
    (only(directResponse={"status": 199}), "spec.http[0].directResponse.status"),
    (only(directResponse={"status": 200, "body": {"string": "x" * 1048577}}), "spec.http[0].directResponse.body"),
    (only(redirect={"uri": "/", "redirectCode": 200}), "spec.http[0].redirect.redirectCode"),
    (only(redirect={"scheme": "ftp"}), "spec.http[0].redirect.scheme"),
    (only(redirect={"port": 70000}), "spec.http[0].redirect.port"),
    (http(delegate={"name": "d"}), "spec.http[0].route"),
    (only(delegate={}), "spec.http[0].delegate.name"),
    ({"http": [{"delegate": {"name": "d"}}]}, "spec.http[0].delegate"),
    (http(mirror={"host": "a"}, mirrors=[{"destination": {"host": "b"}}]), "spec.http[0].mirrors"),
    (http(mirror={"host": "*"}), "spec.http[0].mirror.host"),
    (http(mirror={"host": "a"}, mirrorPercentage={"value": 101}), "spec.http[0].mirrorPercentage.value"),
    (http(timeout="0s"), "spec.http[0].timeout"),
    (http(timeout="1.0001s"), "spec.http[0].timeout"),
    (http(retries={"attempts": -1}), "spec.http[0].retries.attempts"),
    (http(retries={"retryOn": "5xx"}), "spec.http[0].retries.attempts"),
    (http(retries={"attempts": 1, "retryOn": "sometimes"}), "spec.http[0].retries.retryOn"),
    (http(retries={"attempts": 1, "retryOn": "999"}), "spec.http[0].retries.retryOn"),
    (http(retries={"attempts": 1, "perTryTimeout": "1us"}), "spec.http[0].retries.perTryTimeout"),
    (http(rewrite={}), "spec.http[0].rewrite"),
    (http(rewrite={"uri": "/", "uriRegexRewrite": {"match": "a", "rewrite": "b"}}),
     "spec.http[0].rewrite.uriRegexRewrite"),
    (http(rewrite={"uriRegexRewrite": {"match": "a"}}), "spec.http[0].rewrite.uriRegexRewrite"),
    (http(rewrite={"uriRegexRewrite": {"match": "(", "rewrite": "b"}}),
     "spec.http[0].rewrite.uriRegexRewrite.match"),
    (http(rewrite={"uriRegexRewrite": {"match": "(a)", "rewrite": "\\2"}}),
     "spec.http[0].rewrite.uriRegexRewrite.rewrite"),
    (http(rewrite={"uriRegexRewrite": {"match": "(a)", "rewrite": "\\x"}}),
     "spec.http[0].rewrite.uriRegexRewrite.rewrite"),
    (http(rewrite={"authority": "a"}, headers={"request": {"set": {"Host": "b"}}}),
     "spec.http[0].headers.request.set['Host']"),
    (http(headers={"request": {"set": {":path": "b"}}}), "spec.http[0].headers.request.set[':path']"),
    (http(headers={"request": {"remove": ["host"]}}), "spec.http[0].headers.request.remove[0]"),
    (http(headers={"response": {"set": {":authority": "b"}}}), "spec.http[0].headers.response.set[':authority']"),
    (http(headers={"response": {"add": {"x": "a\nb"}}}), "spec.http[0].headers.response.add['x']"),
    (http(headers={"response": {"add": {"x": "100%"}}}), "spec.http[0].headers.response.add['x']"),
    (match(uri={"regex": "("}), "spec.http[0].match[0].uri.regex"),
    (match(uri={"regex": "(?!a)"}), "spec.http[0].match[0].uri.regex"),
    (match(uri={"regex": "a" * 1025}), "spec.http[0].match[0].uri.regex"),
    (match(uri={"exact": "/a", "prefix": "/b"}), "spec.http[0].match[0].uri.prefix"),
    (match(method={"prefix": ""}), "spec.http[0].match[0].method.prefix"),
    (match(headers={"a b": {}}), "spec.http[0].match[0].headers['a b']"),
    (match(headers={"a": {"regex": "*"}, "b": {"regex": "["}}), "spec.http[0].match[0].headers['b'].regex"),
    (match(withoutHeaders={"b": {"regex": "["}}), "spec.http[0].match[0].withoutHeaders['b'].regex"),
    (match(queryParams={"b": {"prefix": ""}}), "spec.http[0].match[0].queryParams['b'].prefix"),
    (match(port=65536), "spec.http[0].match[0].port"),
    (match(sourceLabels={"a": "b c"}), "spec.http[0].match[0].sourceLabels['a']"),
    (match(sourceNamespace="A_"), "spec.http[0].match[0].sourceNamespace"),
    (match(headers={"@request.auth.claims.group": {"exact": "a"}}),
     "spec.http[0].match[0].headers['@request.auth.claims.group']"),
    (http(fault={}), "spec.http[0].fault"),
    (http(fault={"abort": {"httpStatus": 100, "percentage": {"value": 1}}}), "spec.http[0].fault.abort.httpStatus"),
    (http(fault={"abort": {"grpcStatus": "14", "percentage": {"value": 1}}}), "spec.http[0].fault.abort.grpcStatus"),
    (http(fault={"abort": {"http2Error": "x", "percentage": {"value": 1}}}), "spec.http[0].fault.abort.http2Error"),
    (http(fault={"delay": {"exponentialDelay": "1s", "percentage": {"value": 1}}}),
     "spec.http[0].fault.delay.exponentialDelay"),
    (http(fault={"delay": {"fixedDelay": "1s", "percentage": {"value": 100.5}}}),
     "spec.http[0].fault.delay.percentage.value"),
    (http(corsPolicy={"allowOrigins": [{}]}), "spec.http[0].corsPolicy.allowOrigins[0]"),
    (http(corsPolicy={"allowOrigins": [{"regex": "("}]}), "spec.http[0].corsPolicy.allowOrigins[0].regex"),
    (http(corsPolicy={"allowMethods": ["FETCH"]}), "spec.http[0].corsPolicy.allowMethods[0]"),
    (http(corsPolicy={"exposeHeaders": ["a b"]}), "spec.http[0].corsPolicy.exposeHeaders[0]"),
    (http(corsPolicy={"maxAge": "1.5s"}), "spec.http[0].corsPolicy.maxAge"),
    (weighted(0, 0), "spec.http[0].route"),
    (weighted(-1, 2), "spec.http[0].route[0].weight"),
    (only(route=[{"destination": {"host": "a", "subset": "A_"}}]), "spec.http[0].route[0].destination.subset"),
    (only(route=[{"destination": {"host": "a", "port": {}}}]), "spec.http[0].route[0].destination.port.number"),
    (only(route=[{"destination": {"host": "a", "port": {"number": 65536}}}]),
     "spec.http[0].route[0].destination.port.number"),
    (tls(match=[]), "spec.tls[0].match"),
    (tls(match=[{"sniHosts": []}]), "spec.tls[0].match[0].sniHosts"),
    (tls(match=[{"sniHosts": ["b.com"]}]), "spec.tls[0].match[0].sniHosts[0]"),
    (tls(match=[{"sniHosts": ["a.com"], "destinationSubnets": ["10.0.0.0/33"]}]),
     "spec.tls[0].match[0].destinationSubnets[0]"),
    (tls(route=[]), "spec.tls[0].route"),
    (tcp(route=[]), "spec.tcp[0].route"),
    (tcp(match=[{"destinationSubnets": ["x"]}]), "spec.tcp[0].match[0].destinationSubnets[0]"),
    (tcp(match=[{"port": 65536}]), "spec.tcp[0].match[0].port"),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "path"), REJECTED, ids=[f"{i}-{path}" for i, (_, path) in enumerate(REJECTED)])
def test_rejected_at_the_field(spec: dict[str, Any], path: str) -> None:
    errors = [fault for fault in faults(spec) if fault.severity is Severity.ERROR]
    assert [fault.path for fault in errors] == [path], errors


def two(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {"hosts": ["a.com"], "http": [{**ROUTE, "match": [first]}, {**ROUTE, "match": [second]}]}


WARNED = [
    ({"hosts": ["a.com"], "http": [ROUTE, {**ROUTE, "match": [{"port": 1}]}]}, {("spec.http[1]", "IST0130")}),
    (two({"uri": {"exact": "/a"}}, {"uri": {"exact": "/a"}, "name": "n"}),
     {("spec.http[1].match[0]", "IST0131"), ("spec.http[1]", "IST0130")}),
    (two({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/ab"}}), {("spec.http[1].match[0]", "IST0131")}),
    (two({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/ab"}, "method": {"exact": "GET"}}),
     {("spec.http[1].match[0]", "IST0131")}),
    (two({"uri": {"prefix": "/a"}, "headers": {"x": {"prefix": "b"}}},
         {"uri": {"prefix": "/ab"}, "headers": {"x": {"exact": "bc"}}}), {("spec.http[1].match[0]", "IST0131")}),
    (two({"uri": {"prefix": "/a"}, "method": {"exact": "GET"}}, {"uri": {"prefix": "/ab"}}), set()),
    (two({"uri": {"prefix": "/a"}, "port": 80}, {"uri": {"prefix": "/ab"}}), set()),
    (two({"uri": {"prefix": "/ab"}}, {"uri": {"prefix": "/a"}}), set()),
    ({"hosts": ["a.com"], "tcp": [ROUTE, ROUTE]}, {("spec.tcp[1]", "IST0130")}),
    ({**http(), "gateways": ["gw.ns"]}, {("spec.gateways[0]", "")}),
    (http(mirror={"host": "a"}, mirrorPercent=5), {("spec.http[0].mirrorPercent", "")}),
    (http(corsPolicy={"allowOrigin": ["*"]}), {("spec.http[0].corsPolicy.allowOrigin", "")}),
    (http(fault={"abort": {"httpStatus": 500}}), {("spec.http[0].fault.abort", "")}),
    (http(fault={"delay": {"fixedDelay": "1s", "percent": 10}}), {("spec.http[0].fault.delay.percent", "")}),
    (only(redirect={"uri": "/", "redirectCode": 305}), {("spec.http[0].redirect.redirectCode", "")}),
    (only(directResponse={"status": 200, "body": {"string": "x" * 102401}}),
     {("spec.http[0].directResponse.body", "")}),
    (tcp(match=[{"sourceSubnet": "10.0.0.0/8"}]), {("spec.tcp[0].match[0].sourceSubnet", "")}),
    ({"hosts": ["10.0.0.1"], "tls": [{"match": [{"sniHosts": ["10.0.0.1"]}], **ROUTE}]},
     {("spec.tls[0].match[0].sniHosts[0]", "")}),
    (match(sourceLabels={"a": "b"}, gateways=["mesh"]), {("spec.http[0].match[0].sourceLabels", "")}),
    (only(redirect={"uri": "/"}, timeout="1s", mirror={"host": "a"}),
     {("spec.http[0].timeout", ""), ("spec.http[0].mirror", "")}),
    (http(mirrorPercentage={"value": 1}), {("spec.http[0].mirrorPercentage", "")}),
    (match(uri={"regex": "/a"}, ignoreUriCase=True), {("spec.http[0].match[0].ignoreUriCase", "")}),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "expected"), WARNED, ids=[str(i) for i in range(len(WARNED))])
def test_taken_with_a_warning(spec: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    found = faults(spec)
    assert all(fault.severity is Severity.WARNING for fault in found), found
    assert {(fault.path, fault.code) for fault in found} == expected

"""Whatever validation takes of VirtualServices, Envoy takes what is made of it."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lateen.api.parse import parse
from lateen.model.proxy import Role
from lateen.testing.envoy import accepts
from lateen.testing.mesh import Mesh
from lateen.translate.resource import Resource, ResourceType
from lateen.translate.routes import gateway, outbound

SERVICES = """
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], ports: [{name: http, port: 80}, {name: http-b, port: 81}]}
---
kind: Service
metadata: {name: db, namespace: other}
spec: {clusterIP: None, clusterIPs: [None], ports: [{name: http, port: 80}]}
---
kind: DestinationRule
metadata: {name: web}
spec:
  host: web
  subsets: [{name: v1, labels: {version: v1}}]
  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x}}}
---
kind: Gateway
metadata: {name: gw, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
"""

texts = st.sampled_from(
    ("a", "/a", "/a/b", "*", "a.b", "(", "[0-9]+", "(?i)x", "a|b", "%", "%%", "\\1", "x y", "é", "")
)
percents = st.sampled_from((0, 0.0001, 1, 33.3, 100, 101))
durations = st.sampled_from(("1ms", "0.5s", "10s", "1h", "0s"))
headers = st.sampled_from(("x", "X-Upper", "host", ":authority", ":path", "x y", "user-agent"))


def some(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=optional)


strings = st.one_of(
    st.just({}),
    texts.map(lambda t: {"exact": t}),
    texts.map(lambda t: {"prefix": t}),
    texts.map(lambda t: {"regex": t}),
)
matched = st.dictionaries(headers, strings, max_size=2)
matches = some(
    name=texts,
    uri=strings,
    scheme=strings,
    method=strings,
    authority=strings,
    headers=matched,
    withoutHeaders=matched,
    queryParams=st.dictionaries(texts, strings, max_size=2),
    port=st.sampled_from((80, 81)),
    ignoreUriCase=st.booleans(),
    sourceLabels=st.just({"app": "x"}),
    gateways=st.sampled_from((["mesh"], ["istio-system/gw"])),
    statPrefix=texts,
)
formats = st.sampled_from(("%REQ(x?y):10%", "%START_TIME(%s)%", "%PROTOCOL%%%", "%NOPE%", "%REQ%", "a%b%", "%PATH"))
values = st.dictionaries(headers, texts | formats, max_size=2)
operations = some(set=values, add=values, remove=st.lists(headers, max_size=2))
manipulation = some(request=operations, response=operations)
destinations = st.sampled_from(
    (
        {"host": "web"},
        {"host": "web", "subset": "v1", "port": {"number": 81}},
        {"host": "db.other.svc.cluster.local"},
        {"host": "nobody.com"},
    )
)
shares = st.lists(
    st.builds(
        lambda destination, weight, changes: {"destination": destination, "weight": weight, **changes},
        destinations,
        st.sampled_from((0, 1, 99)),
        some(headers=manipulation),
    ),
    min_size=1,
    max_size=3,
)
retries = st.one_of(
    st.just({"attempts": 0}),
    st.fixed_dictionaries(
        {"attempts": st.sampled_from((1, 3))},
        optional={
            "retryOn": st.sampled_from(("5xx", "503,gateway-error", "retriable-4xx, 404", "unavailable")),
            "perTryTimeout": durations,
            "backoff": durations,
            "retryRemoteLocalities": st.booleans(),
            "retryIgnorePreviousHosts": st.booleans(),
        },
    ),
)
percentages = st.builds(lambda value: {"value": value}, percents)
faults = some(
    delay=some(fixedDelay=durations, percentage=percentages, percent=st.sampled_from((0, 5))),
    abort=st.one_of(
        some(httpStatus=st.sampled_from((200, 503, 599)), percentage=percentages),
        some(grpcStatus=st.sampled_from(("OK", "UNAVAILABLE")), percentage=percentages),
    ),
)
cors = some(
    allowOrigin=st.lists(texts, max_size=2),
    allowOrigins=st.lists(strings, max_size=2),
    allowMethods=st.lists(st.sampled_from(("GET", "*")), max_size=2),
    allowHeaders=st.lists(headers, max_size=2),
    exposeHeaders=st.lists(headers, max_size=2),
    maxAge=durations,
    allowCredentials=st.booleans(),
    unmatchedPreflights=st.sampled_from(("UNSPECIFIED", "FORWARD", "IGNORE")),
)
rewrites = st.one_of(
    some(uri=texts, authority=texts),
    st.builds(lambda match, rewrite: {"uriRegexRewrite": {"match": match, "rewrite": rewrite}}, texts, texts),
)
forwarding = st.builds(
    lambda required, optional: {**required, **optional},
    st.builds(lambda found: {"route": found}, shares),
    some(
        rewrite=rewrites,
        timeout=durations,
        retries=retries,
        fault=faults,
        mirror=destinations,
        mirrorPercentage=percentages,
        mirrors=st.lists(st.builds(lambda d, p: {"destination": d, "percentage": p}, destinations, percentages)),
    ),
)
redirects = some(
    uri=texts,
    authority=texts,
    scheme=st.sampled_from(("http", "https")),
    redirectCode=st.sampled_from((301, 305, 308)),
    port=st.sampled_from((80, 443, 8080)),
)
answers = st.one_of(
    st.builds(lambda redirect: {"redirect": redirect}, redirects),
    st.builds(
        lambda status, body: {"directResponse": {"status": status, **body}},
        st.sampled_from((200, 404, 599)),
        some(body=st.one_of(some(string=texts), some(bytes=st.just("aGk=")))),
    ),
)
routes = st.builds(
    lambda action, rest: {**action, **rest},
    st.one_of(forwarding, forwarding, answers),
    some(name=texts, match=st.lists(matches, max_size=2), headers=manipulation, corsPolicy=cors),
)


def _virtual_service(name: str, hosts: list[str], http: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"hosts": hosts, "gateways": ["mesh", "istio-system/gw"], "http": http},
    }


def test_envoy_takes_what_validation_takes() -> None:
    """Random routes are collected, each on a host of its own, and judged in one run of Envoy."""
    collected: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []

    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(routes)
    def collect(route: dict[str, Any]) -> None:
        found = _virtual_service(f"v{len(collected)}", [f"h{len(collected)}.com"], [route])
        (collected if parse(found).value is not None else rejected).append(found)

    collect()
    # Neither half of the law is empty, nor of trifles.
    assert len(collected) > 50
    assert len(rejected) > 20
    assert any(len(found["spec"]["http"][0]) > 4 for found in collected)
    mesh = Mesh(SERVICES)
    mesh.apply(*collected)
    accepts({ResourceType.RDS: [*_sidecar(mesh), *_gateway(mesh)]})


def _sidecar(mesh: Mesh) -> list[Resource]:
    return [
        mesh.make(recipe)
        for proxy in (mesh.proxy(labels={"app": "x"}), mesh.proxy("x.other"))
        for recipe in mesh.get(outbound.listing, mesh.views(proxy)[0])
    ]


def _gateway(mesh: Mesh) -> list[Resource]:
    proxy = mesh.gateway()
    assert proxy.role is Role.ROUTER
    return [mesh.make(recipe) for recipe in mesh.get(gateway.listing, mesh.views(proxy)[0])]

"""The traffic management tasks that people know from the documentation, at the sidecar of who calls.

One mesh of manifests as users write them, one istiod, the sidecars of a caller, of a caller with a narrow view, and of
a server; each scenario is a service of its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from lateen.testing.backends import http_backend, tcp_backend, tcp_say
from lateen.testing.running_envoy import RunningEnvoy
from lateen.testing.task_mesh import Answer, TaskMesh, pod

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVER = "127.0.0.2"

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, ports: [{name: http, port: $port_http, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: ratings}
spec: {selector: {app: ratings}, ports: [{name: http, port: $port_http, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: httpbin}
spec: {selector: {app: httpbin}, ports: [{name: http, port: $port_http, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: few}
spec: {selector: {app: httpbin}, ports: [{name: http, port: $port_http, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: fragile}
spec: {selector: {app: httpbin}, ports: [{name: http, port: $port_http, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: near}
spec: {selector: {app: zoned}, ports: [{name: http, port: $port_http, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: spread}
spec: {selector: {app: zoned}, ports: [{name: http, port: $port_http, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: tcp-echo}
spec: {selector: {app: tcp-echo}, ports: [{name: tcp, port: $port_tcp, targetPort: tcp}]}
---
apiVersion: v1
kind: Service
metadata: {name: guarded}
spec: {selector: {app: server}, ports: [{name: http, port: $port_http, targetPort: $port_strict}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: server}
spec:
  selector: {matchLabels: {app: server}}
  portLevelMtls: {$port_strict: {mode: STRICT}}
---
apiVersion: v1
kind: Service
metadata: {name: inside, namespace: narrow}
spec: {selector: {app: inside}, ports: [{name: http, port: $port_narrow, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {selector: {app: httpbin}, ports: [{name: http, port: $port_narrow, targetPort: http}]}
"""

ROUTING = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
  - {name: v3, labels: {version: v3}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - match:
    - headers: {cookie: {regex: "^(.*?;)?(user=mark)(;.*)?$$"}}
    - queryParams: {version: {exact: "3"}}
    - method: {exact: DELETE}
    - {uri: {prefix: /V3/}, ignoreUriCase: true}
    route: [{destination: {host: reviews, subset: v3}}]
  - match: [{uri: {prefix: /shift}}]
    route:
    - {destination: {host: reviews, subset: v1}, weight: 75}
    - {destination: {host: reviews, subset: v3}, weight: 25}
  - match: [{uri: {exact: /delegated}}]
    delegate: {name: reviews-delegate}
  - route: [{destination: {host: reviews, subset: v1}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews-delegate}
spec:
  http:
  - match: [{headers: {x-team: {prefix: "b"}}}]
    directResponse: {status: 202, body: {string: "from the delegate"}}
  - route: [{destination: {host: reviews, subset: v2}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: tcp-echo}
spec:
  host: tcp-echo
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: tcp-echo}
spec:
  hosts: [tcp-echo]
  tcp:
  - match: [{port: $port_tcp}]
    route:
    - {destination: {host: tcp-echo, port: {number: $port_tcp}, subset: v1}, weight: 80}
    - {destination: {host: tcp-echo, port: {number: $port_tcp}, subset: v2}, weight: 20}
"""

RESILIENCE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ratings}
spec:
  hosts: [ratings]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    fault: {abort: {percentage: {value: 100}, httpStatus: 418}}
    route: [{destination: {host: ratings}}]
  - match: [{headers: {end-user: {exact: slow}}}]
    fault: {delay: {percentage: {value: 100}, fixedDelay: 0.4s}}
    route: [{destination: {host: ratings}}]
  - match: [{uri: {prefix: /impatient}}]
    timeout: 0.3s
    route: [{destination: {host: ratings}}]
  - match: [{uri: {prefix: /again}}]
    retries: {attempts: 2, perTryTimeout: 2s, retryOn: "5xx,418"}
    route: [{destination: {host: ratings}}]
  - match: [{uri: {prefix: /once}}]
    retries: {attempts: 0}
    route: [{destination: {host: ratings}}]
  - route: [{destination: {host: ratings}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: few}
spec:
  host: few
  trafficPolicy:
    connectionPool:
      tcp: {maxConnections: 1}
      http: {http1MaxPendingRequests: 1, maxRequestsPerConnection: 1}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: fragile}
spec:
  host: fragile
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 1, interval: 0.1s, baseEjectionTime: 3m, maxEjectionPercent: 100}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: fragile}
spec:
  hosts: [fragile]
  http: [{retries: {attempts: 0}, route: [{destination: {host: fragile}}]}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: near}
spec:
  host: near
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1, interval: 1s, baseEjectionTime: 1m}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: spread}
spec:
  host: spread
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 100}
    loadBalancer:
      localityLbSetting:
        enabled: true
        distribute:
        - from: region1/zone1/*
          to: {"region1/zone1/*": 50, "region1/zone2/*": 20, "region2/zone3/*": 30}
"""

CHANGES = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: httpbin}
spec:
  host: httpbin
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: httpbin}
spec:
  hosts: [httpbin]
  http:
  - match: [{uri: {prefix: /old/}}]
    rewrite: {uri: /new/, authority: rewritten.example.com}
    route: [{destination: {host: httpbin, subset: v1}}]
  - match: [{uri: {exact: /moved}}]
    redirect: {uri: /here, authority: other.example.com, redirectCode: 302}
  - match: [{uri: {exact: /cors}}]
    corsPolicy:
      allowOrigins: [{exact: "https://example.com"}, {prefix: "https://dev."}]
      allowMethods: [POST, GET]
      allowHeaders: [X-Foo-Bar]
      allowCredentials: false
      maxAge: "24h"
    route: [{destination: {host: httpbin, subset: v1}}]
  - match: [{uri: {prefix: /headers}}]
    headers:
      request: {set: {x-set: new}, add: {x-added: "yes"}, remove: [x-secret]}
      response: {set: {x-answered: by-mesh}}
    route:
    - destination: {host: httpbin, subset: v1}
      headers: {response: {add: {x-version: one}}}
  - match: [{uri: {exact: /mirrored}}]
    route: [{destination: {host: httpbin, subset: v1}}]
    mirror: {host: httpbin, subset: v2}
    mirrorPercentage: {value: 100}
  - route: [{destination: {host: httpbin, subset: v1}}]
"""

NARROW = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: narrow}
spec:
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
  egress:
  - port: {number: $port_narrow, protocol: HTTP, name: http}
    bind: 127.0.0.9
    hosts: ["./*"]
"""

FILTERS = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: server}
spec:
  workloadSelector: {labels: {app: server}}
  egress: [{hosts: ["~/*"]}]
  ingress:
  - port: {number: $port_limited, name: http-limited, protocol: HTTP}
    bind: $server
    defaultEndpoint: 127.0.0.1:$backend
  - port: {number: $port_scripted, name: http-scripted, protocol: HTTP}
    bind: $server
    defaultEndpoint: 127.0.0.1:$backend
  - port: {number: $port_strict, name: http-strict, protocol: HTTP}
    bind: $server
    defaultEndpoint: 127.0.0.1:$backend
  - port: {number: $port_crowded, name: tcp-crowded, protocol: TCP}
    bind: $server
    defaultEndpoint: 127.0.0.1:$stream
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: local-rate-limit}
spec:
  workloadSelector: {labels: {app: server}}
  configPatches:
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_INBOUND
      listener:
        portNumber: $port_limited
        filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.local_ratelimit
        typed_config:
          "@type": type.googleapis.com/udpa.type.v1.TypedStruct
          type_url: type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
          value:
            stat_prefix: http_local_rate_limiter
            token_bucket: {max_tokens: 2, tokens_per_fill: 2, fill_interval: 300s}
            filter_enabled: {default_value: {numerator: 100, denominator: HUNDRED}}
            filter_enforced: {default_value: {numerator: 100, denominator: HUNDRED}}
            response_headers_to_add: [{header: {key: x-local-rate-limit, value: "true"}}]
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: script}
spec:
  workloadSelector: {labels: {app: server}}
  configPatches:
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_INBOUND
      listener:
        portNumber: $port_scripted
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
            subFilter: {name: envoy.filters.http.router}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.lua
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
          default_source_code:
            inline_string: |
              function envoy_on_request(handle)
                handle:headers():add("x-scripted", "yes")
              end
              function envoy_on_response(handle)
                handle:headers():remove("x-answered")
                handle:headers():add("x-script-answered", "yes")
              end
  - applyTo: NETWORK_FILTER
    match:
      context: SIDECAR_INBOUND
      listener:
        portNumber: $port_scripted
        filterChain: {filter: {name: envoy.filters.network.http_connection_manager}}
    patch:
      operation: MERGE
      value:
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          server_header_transformation: PASS_THROUGH
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: connection-limit}
spec:
  workloadSelector: {labels: {app: server}}
  configPatches:
  - applyTo: NETWORK_FILTER
    match:
      context: SIDECAR_INBOUND
      listener: {portNumber: $port_crowded, filterChain: {filter: {name: envoy.filters.network.tcp_proxy}}}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.network.connection_limit
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit
          stat_prefix: limit
          max_connections: 1
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: sanitize}
spec:
  workloadSelector: {labels: {app: caller}}
  configPatches:
  - applyTo: ROUTE_CONFIGURATION
    match: {context: SIDECAR_OUTBOUND, routeConfiguration: {name: "$port_http"}}
    patch: {operation: MERGE, value: {response_headers_to_remove: [x-envoy-upstream-service-time]}}
"""


class World:
    def __init__(self, mesh: TaskMesh) -> None:
        self.mesh = mesh
        self.caller: RunningEnvoy

    async def get(self, host: str, path: str = "/", method: str = "GET", **headers: str) -> Answer:
        """One request of the caller's application."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.mesh.call(self.mesh.port("http"), host, path, method=method, headers=named)

    async def names(self, count: int, host: str, path: str = "/") -> Counter[str]:
        return Counter([(await self.get(host, path)).name for _ in range(count)])

    async def served(self, port: str, **headers: str) -> Answer:
        """One request to the server."""
        return await self.mesh.call(self.mesh.port(port), "server", headers=headers, address=SERVER)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    mesh = TaskMesh(tmp_path_factory.mktemp("tasks"))
    world = World(mesh)
    async with AsyncExitStack() as stack:
        pods = []
        zones = ("region1.zone1", "region1.zone2", "region2.zone3")
        kinds: list[tuple[str, str, dict[str, Any]]] = [
            *(("reviews", version, {"version": version}) for version in ("v1", "v2", "v3")),
            ("ratings", "v1", {"version": "v1"}),
            *(("httpbin", version, {"version": version}) for version in ("v1", "v2")),
            *(("zoned", zone.replace(".", "-"), {"istio_locality": zone}) for zone in zones),
            ("inside", "v1", {}),
        ]
        for number, (app, version, labels) in enumerate(kinds):
            address = f"127.0.1.{number + 1}"
            port = await stack.enter_async_context(http_backend(version, address))
            namespace = "narrow" if app == "inside" else "default"
            pods.append(pod(f"{app}-{version}", address, {"http": port}, namespace=namespace, app=app, **labels))
        for number, version in enumerate(("v1", "v2")):
            address = f"127.0.2.{number + 1}"
            port = await stack.enter_async_context(tcp_backend(version, address))
            pods.append(pod(f"tcp-echo-{version}", address, {"tcp": port}, app="tcp-echo", version=version))
        mesh.values |= {
            "server": SERVER,
            "backend": await stack.enter_async_context(http_backend("server")),
            "stream": await stack.enter_async_context(tcp_backend("server")),
        }
        injected = {"security.istio.io/tlsMode": "istio"}
        mesh.apply("services", SERVICES, *pods, pod("server", SERVER, {}, app="server", **injected))
        for name, text in (
            ("routing", ROUTING),
            ("resilience", RESILIENCE),
            ("changes", CHANGES),
            ("narrow", NARROW),
            ("filters", FILTERS),
        ):
            mesh.apply(name, text)
        await stack.enter_async_context(mesh)
        locality = {"region": "region1", "zone": "zone1"}
        world.caller = await mesh.proxy("caller", 3, locality=locality)
        await mesh.proxy("client", 1, namespace="narrow", address="127.0.0.9")
        await mesh.proxy("server", 4, address=SERVER)
        yield world


@pytest.mark.parametrize(
    ("request_", "version"),
    [
        ({}, "v1"),
        ({"end_user": "jason"}, "v2"),
        ({"end_user": "other"}, "v1"),
        ({"cookie": "a=b; user=mark".replace(" ", "")}, "v3"),
        ({"cookie": "user=marked"}, "v1"),
        ({"path": "/?version=3"}, "v3"),
        ({"method": "DELETE"}, "v3"),
        ({"path": "/v3/x"}, "v3"),
        ({"path": "/delegated"}, "v2"),
    ],
    ids=str,
)
async def test_request_routing(world: World, request_: dict[str, str], version: str) -> None:
    assert (await world.get("reviews", **request_)).name == version


async def test_delegates_answer_for_what_they_are_given(world: World) -> None:
    answer = await world.get("reviews", "/delegated", x_team="blue")
    assert (answer.status, answer.body) == (202, "from the delegate")


async def test_traffic_shifting(world: World) -> None:
    found = await world.names(200, "reviews", "/shift")
    assert found["v1"] + found["v3"] == 200
    assert 20 <= found["v3"] <= 85


async def test_tcp_traffic_shifting(world: World) -> None:
    port = world.mesh.port("tcp")
    found = Counter([(await tcp_say("127.0.0.1", port, "hi")).partition(":")[0] for _ in range(150)])
    assert found["v1"] + found["v2"] == 150
    assert 10 <= found["v2"] <= 60


async def test_fault_injection(world: World) -> None:
    assert (await world.get("ratings", end_user="jason")).status == 418
    started = asyncio.get_running_loop().time()
    assert (await world.get("ratings", end_user="slow")).status == 200
    assert asyncio.get_running_loop().time() - started >= 0.35
    assert (await world.get("ratings")).status == 200


async def test_request_timeouts(world: World) -> None:
    assert (await world.get("ratings", "/impatient", x_answer_delay="3")).status == 504
    assert (await world.get("ratings", "/impatient")).status == 200
    assert (await world.get("ratings", "/", x_answer_delay="0.5")).status == 200, "there is none by default"


@pytest.mark.parametrize(
    ("path", "status", "attempts"),
    [("/again", 503, 3), ("/again", 418, 3), ("/again", 404, 1), ("/once", 503, 1), ("/", 503, 1)],
)
async def test_retries(world: World, path: str, status: int, attempts: int) -> None:
    """By default what a server answers is not asked for again; what it did not get is."""
    answer = await world.get("ratings", path, x_answer_status=str(status))
    assert (answer.status, answer.sent["x-envoy-attempt-count"]) == (status, str(attempts))


async def test_circuit_breaking(world: World) -> None:
    answers = await asyncio.gather(*(world.get("few", x_answer_delay="0.5") for _ in range(6)))
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) == {200, 503}
    assert statuses[503] >= 3
    assert {answer.headers.get("x-envoy-overloaded") for answer in answers if answer.status == 503} == {"true"}
    name = f"outbound|{world.mesh.port('http')}||few.default.svc.cluster.local"
    found = await asyncio.to_thread(world.caller.stats, "few.*upstream_rq_pending_overflow")
    assert found[f"cluster.{name};.upstream_rq_pending_overflow"] == statuses[503]


async def test_outlier_detection(world: World) -> None:
    """A server that errs is left alone; when both are, there is nobody left, and no panic."""

    async def nobody_left() -> bool:
        answer = await world.get("fragile", x_answer_status="500")
        return answer.body == "no healthy upstream"

    assert (await world.get("fragile", x_answer_status="500")).status == 500
    for _ in range(100):
        if await nobody_left():
            break
        await asyncio.sleep(0.02)
    assert (await world.get("fragile")).status == 503


async def test_mirroring(world: World) -> None:
    name = f"cluster.outbound|{world.mesh.port('http')}|v2|httpbin.default.svc.cluster.local;.upstream_rq_completed"
    for _ in range(5):
        assert (await world.get("httpbin", "/mirrored")).name == "v1"
    await asyncio.to_thread(
        world.caller.until,
        lambda: world.caller.stats("httpbin.*upstream_rq_completed").get(name) == 5,
        "v2 has got copies",
    )


async def test_rewriting_and_redirecting(world: World) -> None:
    answer = await world.get("httpbin", "/old/page?x=1")
    assert (answer.told["path"], answer.sent["host"]) == ("/new/page?x=1", "rewritten.example.com")
    moved = await world.get("httpbin", "/moved")
    assert (moved.status, moved.headers["location"]) == (302, "http://other.example.com/here")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://example.com", True), ("https://dev.example.com", True), ("https://evil.com", False)],
)
async def test_cors(world: World, origin: str, allowed: bool) -> None:
    asked = {"origin": origin, "access_control_request_method": "POST"}
    preflight = await world.get("httpbin", "/cors", method="OPTIONS", **asked)
    if not allowed:
        assert preflight.name == "v1", "it is for the application to refuse"
        assert "access-control-allow-origin" not in preflight.headers
        return
    assert preflight.status == 200
    told = {
        name.removeprefix("access-control-"): v for name, v in preflight.headers.items() if "access-control" in name
    }
    assert told == {
        "allow-origin": origin,
        "allow-methods": "POST,GET",
        "allow-headers": "X-Foo-Bar",
        "max-age": "86400",
    }
    assert (await world.get("httpbin", "/cors", origin=origin)).headers["access-control-allow-origin"] == origin


async def test_headers(world: World) -> None:
    answer = await world.get("httpbin", "/headers", x_set="old", x_secret="hush")
    assert (answer.sent["x-set"], answer.sent["x-added"]) == ("new", "yes")
    assert "x-secret" not in answer.sent
    assert (answer.headers["x-answered"], answer.headers["x-version"]) == ("by-mesh", "one")
    assert answer.headers["server"] == "envoy"


async def test_what_applications_say_of_requests_is_passed_on(world: World) -> None:
    """A proxy among applications, such as one that ends TLS, knows better than the sidecar."""
    said = {"x_forwarded_for": "192.0.2.1", "x_forwarded_proto": "https", "x_request_id": "mine"}
    sent = (await world.get("ratings", **said)).sent
    assert {name: sent[name.replace("_", "-")] for name in said} == said
    assert "x-envoy-external-address" not in sent
    assert "x-forwarded-for" not in (await world.get("ratings")).sent


async def test_the_nearest_zone_first(world: World) -> None:
    assert await world.names(20, "near") == {"region1-zone1": 20}


async def test_distribution_over_zones(world: World) -> None:
    found = await world.names(200, "spread")
    assert sum(found.values()) == 200
    assert 60 <= found["region1-zone1"] <= 140
    assert 15 <= found["region1-zone2"] <= 75
    assert 25 <= found["region2-zone3"] <= 95


async def test_sidecar_scoping(world: World) -> None:
    """Who may see its own namespace alone reaches nothing else."""
    port = world.mesh.port("narrow")
    hosts = ("inside", "inside.narrow.svc.cluster.local", "outside.default", "unknown.com")
    answers = [await world.mesh.call(port, host, address="127.0.0.9") for host in hosts]
    assert [answer.status for answer in answers] == [200, 200, 502, 502]


async def test_mutual_tls_of_itself(world: World) -> None:
    """Nobody says that the caller is to use it; the server insists."""
    answer = await world.get("guarded")
    assert "URI=spiffe://cluster.local/ns/default/sa/caller" in answer.sent["x-forwarded-client-cert"]
    with pytest.raises(OSError):
        await world.served("strict")


async def test_local_rate_limit(world: World) -> None:
    answers = [await world.served("limited") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 429, 429]
    assert answers[-1].headers["x-local-rate-limit"] == "true"
    assert (await world.served("scripted")).status == 200, "other ports are not limited"


async def test_lua(world: World) -> None:
    answer = await world.served("scripted")
    assert answer.sent["x-scripted"] == "yes"
    assert answer.headers["x-script-answered"] == "yes"
    assert "x-scripted" not in (await world.served("limited")).sent


async def test_who_the_server_says_it_is(world: World) -> None:
    assert (await world.served("limited")).headers["server"] == "istio-envoy"
    assert "envoy" not in (await world.served("scripted")).headers["server"]


async def test_envoys_own_headers_can_be_taken_out(world: World) -> None:
    assert "x-envoy-upstream-service-time" not in (await world.get("ratings")).headers


async def test_connection_limit(world: World) -> None:
    address = (SERVER, world.mesh.port("crowded"))
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"first\n")
    assert await asyncio.wait_for(reader.readline(), 10) == b"server: first\n"
    second, other = await asyncio.open_connection(*address)
    other.write(b"second\n")
    try:
        assert await asyncio.wait_for(second.readline(), 10) == b""
    except ConnectionResetError:
        pass
    finally:
        other.close()
        writer.close()

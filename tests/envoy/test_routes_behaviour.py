"""A real Envoy does with requests what VirtualServices say: one Envoy, one host per case."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from typing import Any, NamedTuple

import pytest
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from google.protobuf import json_format

from lateen.testing.envoy import decoded
from lateen.testing.mesh import Mesh
from lateen.testing.running_envoy import RunningEnvoy
from lateen.translate.filters.http_filters import add_http_filters
from lateen.translate.resource import ResourceType

BACKENDS = {
    "outbound|80||a.default.svc.cluster.local": "a",
    "outbound|80|v1|a.default.svc.cluster.local": "a-v1",
    "outbound|80||b.default.svc.cluster.local": "b",
}
SERVICES = """
kind: Service
metadata: {name: a}
spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], ports: [{name: http, port: 80}]}
---
kind: Service
metadata: {name: b}
spec: {clusterIP: 10.0.0.2, clusterIPs: [10.0.0.2], ports: [{name: http, port: 80}]}
---
kind: DestinationRule
metadata: {name: a}
spec: {host: a, subsets: [{name: v1, labels: {version: v1}}]}
---
kind: VirtualService
metadata: {name: delegate}
spec:
  http:
  - match: [{uri: {prefix: /root/leaf}}]
    route: [{destination: {host: b}}]
  - match: [{uri: {prefix: /elsewhere}}]
    route: [{destination: {host: b}}]
"""


def to(host: str = "a", **more: Any) -> dict[str, Any]:
    return {"route": [{"destination": {"host": host, **more}}]}


def when(**match: Any) -> list[dict[str, Any]]:
    """Requests that match go to b, all others to a."""
    return [{"match": [match], **to("b")}, to("a")]


class Want(NamedTuple):
    """What is to come of a request."""

    backend: str = ""
    """Empty when none is reached."""
    status: int = 200
    path: str = ""
    headers: Mapping[str, str | None] = {}
    """What the backend gets; None for absence."""
    answer: Mapping[str, str | None] = {}
    """Headers of the answer."""
    body: str = ""


class Case(NamedTuple):
    name: str
    http: list[dict[str, Any]]
    request: str
    """`METHOD path`."""
    want: Want
    headers: Mapping[str, str] = {}


def case(
    name: str, http: list[dict[str, Any]], request: str, want: Want, headers: Mapping[str, str] | None = None
) -> Case:
    return Case(name, http, request, want, headers or {})


A, B = Want("a"), Want("b")
CORS = {
    "allowOrigins": [{"exact": "http://ok.com"}],
    "allowMethods": ["GET"],
    "maxAge": "60s",
    "allowCredentials": True,
    "exposeHeaders": ["x-seen"],
}
PREFLIGHT = {"origin": "http://ok.com", "access-control-request-method": "GET"}
STRANGER = {"origin": "http://no.com", "access-control-request-method": "GET"}

CASES = [
    case("exact-hit", when(uri={"exact": "/x"}), "GET /x", B),
    case("exact-query", when(uri={"exact": "/x"}), "GET /x?q=1", B),
    case("exact-miss", when(uri={"exact": "/x"}), "GET /x/", A),
    case("prefix-hit", when(uri={"prefix": "/x"}), "GET /xyz", B),
    case("prefix-miss", when(uri={"prefix": "/x"}), "GET /X", A),
    case("prefix-no-case", when(uri={"prefix": "/x"}, ignoreUriCase=True), "GET /Xyz", B),
    case("exact-no-case", when(uri={"exact": "/x"}, ignoreUriCase=True), "GET /X", B),
    case("regex-hit", when(uri={"regex": "/[a-c]+"}), "GET /abc", B),
    case("regex-whole", when(uri={"regex": "/[a-c]+"}), "GET /abcd", A),
    case("method-hit", when(method={"exact": "POST"}), "POST /", B),
    case("method-miss", when(method={"exact": "POST"}), "GET /", A),
    case("method-regex", when(method={"regex": "PUT|POST"}), "PUT /", B),
    case("scheme-hit", when(scheme={"exact": "http"}), "GET /", B),
    case("scheme-miss", when(scheme={"exact": "https"}), "GET /", A),
    case("authority-hit", when(authority={"prefix": "authority-hit"}), "GET /", B),
    case("authority-miss", when(authority={"exact": "other.com"}), "GET /", A),
    case("header-exact", when(headers={"x": {"exact": "1"}}), "GET /", B, {"x": "1"}),
    case("header-exact-miss", when(headers={"x": {"exact": "1"}}), "GET /", A, {"x": "10"}),
    case("header-prefix", when(headers={"x": {"prefix": "1"}}), "GET /", B, {"x": "10"}),
    case("header-regex", when(headers={"x": {"regex": "[0-9]+"}}), "GET /", B, {"x": "10"}),
    case("header-regex-miss", when(headers={"x": {"regex": "[0-9]+"}}), "GET /", A, {"x": "10a"}),
    case("header-present", when(headers={"x": {}}), "GET /", B, {"x": "any"}),
    case("header-present-star", when(headers={"x": {"regex": "*"}}), "GET /", B, {"x": "any"}),
    case("header-absent", when(headers={"x": {}}), "GET /", A),
    case("headers-and", when(headers={"x": {"exact": "1"}, "y": {"exact": "2"}}), "GET /", A, {"x": "1"}),
    case("without-hit", when(withoutHeaders={"x": {"exact": "1"}}), "GET /", A, {"x": "1"}),
    case("without-other", when(withoutHeaders={"x": {"exact": "1"}}), "GET /", B, {"x": "2"}),
    case("without-missing", when(withoutHeaders={"x": {"exact": "1"}}), "GET /", B),
    case("without-presence", when(withoutHeaders={"x": {}}), "GET /", A, {"x": "2"}),
    case("without-presence-missing", when(withoutHeaders={"x": {}}), "GET /", B),
    case("query-exact", when(queryParams={"q": {"exact": "1"}}), "GET /?q=1", B),
    case("query-exact-miss", when(queryParams={"q": {"exact": "1"}}), "GET /?q=12", A),
    case("query-prefix", when(queryParams={"q": {"prefix": "1"}}), "GET /?q=12", B),
    case("query-regex", when(queryParams={"q": {"regex": "[0-9]+"}}), "GET /?p=0&q=12", B),
    case("query-present", when(queryParams={"q": {}}), "GET /?q", B),
    case("query-absent", when(queryParams={"q": {}}), "GET /", A),
    case("port-hit", when(port=80), "GET /", B),
    case("port-miss", when(port=81), "GET /", A),
    case("source-hit", when(sourceLabels={"app": "client"}), "GET /", B),
    case("source-miss", when(sourceLabels={"app": "server"}), "GET /", A),
    case("source-namespace", when(sourceNamespace="default"), "GET /", B),
    case("source-namespace-miss", when(sourceNamespace="other"), "GET /", A),
    case("gateway-mesh", when(gateways=["mesh"]), "GET /", B),
    case("gateway-other", when(gateways=["other"]), "GET /", A),
    case("no-route", [{"match": [{"uri": {"exact": "/x"}}], **to("a")}], "GET /y", Want(status=404)),
    case("first-wins", [{"match": [{"uri": {"prefix": "/x"}}], **to("b")}, {"match": [{"uri": {"prefix": "/xy"}}],
         **to("a")}], "GET /xyz", B),
    case("alternatives", [{"match": [{"uri": {"exact": "/x"}}, {"method": {"exact": "PUT"}}], **to("b")}, to("a")],
         "PUT /z", B),
    case("subset", [to("a", subset="v1")], "GET /", Want("a-v1")),
    case("unknown-subset", [to("a", subset="v2")], "GET /", Want(status=503)),
    case("unknown-host", [to("nobody")], "GET /", Want(status=503)),
    case("weight-all", [{"route": [{"destination": {"host": "a"}, "weight": 0},
                                   {"destination": {"host": "b"}, "weight": 5}]}], "GET /", B),
    case("weight-headers", [{"route": [
        {"destination": {"host": "b"}, "weight": 5, "headers": {"request": {"set": {"x": "w", "host": "w.com"}},
                                                                "response": {"add": {"y": "w"}}}},
        {"destination": {"host": "b"}, "weight": 0}]}], "GET /",
        Want("b", headers={"x": "w", "host": "w.com"}, answer={"y": "w"})),
    case("rewrite-prefix", [{"match": [{"uri": {"prefix": "/x/"}}], "rewrite": {"uri": "/"}, **to()}], "GET /x/y?z",
         Want("a", path="/y?z")),
    case("rewrite-exact", [{"match": [{"uri": {"exact": "/x"}}], "rewrite": {"uri": "/z"}, **to()}], "GET /x",
         Want("a", path="/z")),
    case("rewrite-regex", [{"rewrite": {"uriRegexRewrite": {"match": "^/([^/]+)/(.*)$", "rewrite": "/\\2/\\1"}},
                            **to()}], "GET /x/y/z?q=1", Want("a", path="/y/z/x?q=1")),
    case("rewrite-authority", [{"rewrite": {"authority": "new.com"}, **to()}], "GET /",
         Want("a", path="/", headers={"host": "new.com"})),
    case("set-authority", [{"headers": {"request": {"set": {":authority": "new.com"}}}, **to()}], "GET /",
         Want("a", headers={"host": "new.com"})),
    case("headers-request", [{"headers": {"request": {"set": {"x": "1"}, "add": {"y": "2"}, "remove": ["z"]}}, **to()}],
         "GET /", Want("a", headers={"x": "1", "y": "0,2", "z": None}), {"x": "0", "y": "0", "z": "0"}),
    case("headers-response", [{"headers": {"response": {"set": {"x-fixed": "1"}, "add": {"y": "2"},
                                                        "remove": ["x-gone"]}}, **to()}],
         "GET /", Want("a", answer={"x-fixed": "1", "y": "2", "x-gone": None})),
    case("headers-formatted", [{"headers": {"request": {"set": {"x": "%PROTOCOL% 100%%"}}}, **to()}], "GET /",
         Want("a", headers={"x": "HTTP/1.1 100%"})),
    case("headers-destination", [{"route": [{"destination": {"host": "a"},
                                             "headers": {"request": {"set": {"x": "d"}}}}]}],
         "GET /", Want("a", headers={"x": "d"})),
    case("redirect-uri", [{"redirect": {"uri": "/new", "authority": "b.com"}}], "GET /old?q=1",
         Want(status=301, answer={"location": "http://b.com/new?q=1"})),
    case("redirect-code", [{"redirect": {"uri": "/new", "redirectCode": 307}}], "GET /",
         Want(status=307, answer={"location": "http://redirect-code.com/new"})),
    case("redirect-scheme", [{"redirect": {"scheme": "https"}}], "GET /a",
         Want(status=301, answer={"location": "https://redirect-scheme.com/a"})),
    case("redirect-port", [{"redirect": {"port": 8080}}], "GET /a",
         Want(status=301, answer={"location": "http://redirect-port.com:8080/a"})),
    case("redirect-usual-port", [{"redirect": {"scheme": "https", "port": 443}}], "GET /a",
         Want(status=301, answer={"location": "https://redirect-usual-port.com/a"})),
    case("redirect-same-port", [{"redirect": {"scheme": "https", "derivePort": "FROM_REQUEST_PORT"}}], "GET /a",
         Want(status=301, answer={"location": "https://redirect-same-port.com:80/a"})),
    case("direct-text", [{"directResponse": {"status": 418, "body": {"string": "tea"}}}], "GET /",
         Want(status=418, body="tea")),
    case("direct-bytes", [{"directResponse": {"status": 200, "body": {"bytes": "aGk="}}}], "GET /", Want(body="hi")),
    case("direct-empty", [{"directResponse": {"status": 204}}], "GET /", Want(status=204)),
    case("direct-large", [{"directResponse": {"status": 200, "body": {"string": "x" * 5000}}}], "GET /",
         Want(body="x" * 5000)),
    case("direct-headers", [{"directResponse": {"status": 200}, "headers": {"response": {"set": {"x": "1"}}}}], "GET /",
         Want(answer={"x": "1"})),
    case("timeout", [{"timeout": "0.1s", "retries": {"attempts": 0}, **to()}], "GET /sleep", Want(status=504)),
    case("no-timeout", [to()], "GET /pause", A),
    case("per-try-timeout", [{"retries": {"attempts": 1, "perTryTimeout": "2s", "retryOn": "5xx"}, **to()}],
         "GET /sleep-once", Want("a", headers={"x-envoy-attempt-count": "2"})),
    case("retry-status", [{"retries": {"attempts": 3, "retryOn": "418", "backoff": "1ms"}, **to()}], "GET /fail/418/2",
         Want("a", headers={"x-envoy-attempt-count": "3"})),
    case("retry-5xx", [{"retries": {"attempts": 3, "retryOn": "gateway-error"}, **to()}], "GET /fail/503/3",
         Want("a", headers={"x-envoy-attempt-count": "4"})),
    case("retry-too-few", [{"retries": {"attempts": 1, "retryOn": "5xx"}, **to()}], "GET /fail/503/2",
         Want("a", status=503, headers={"x-envoy-attempt-count": "2"})),
    case("retry-disabled", [{"retries": {"attempts": 0}, **to()}], "GET /fail/503/1",
         Want("a", status=503, headers={"x-envoy-attempt-count": "1"})),
    case("retry-usual", [to()], "GET /fail/503/1", Want("a", status=503, headers={"x-envoy-attempt-count": "1"})),
    case("lost-get", [to()], "GET /lose/1", Want("a", headers={
        "x-envoy-attempt-count": "2", "x-envoy-retry-on": None})),
    case("lost-options", [to()], "OPTIONS /lose/2", Want("a", headers={"x-envoy-attempt-count": "3"})),
    case("lost-for-good", [to()], "GET /lose/3", Want(status=503)),
    case("lost-post", [to()], "POST /lose/1", Want(status=503)),
    case("lost-attempts", [{"retries": {"attempts": 3}, **to()}], "GET /lose/3", Want("a")),
    case("lost-disabled", [{"retries": {"attempts": 0}, **to()}], "GET /lose/1", Want(status=503)),
    case("lost-otherwise", [{"retries": {"attempts": 1, "retryOn": "gateway-error"}, **to()}], "GET /lose/1",
         Want("a")),
    case("lost-other-wish", [{"retries": {"attempts": 1, "retryOn": "connect-failure"}, **to()}], "GET /lose/1",
         Want(status=503)),
    case("retry-remote", [{"retries": {"attempts": 2, "retryOn": "5xx", "retryRemoteLocalities": True,
                                       "retryIgnorePreviousHosts": False}, **to()}], "GET /fail/503/1",
         Want("a", headers={"x-envoy-attempt-count": "2"})),
    case("abort", [{"fault": {"abort": {"httpStatus": 418, "percentage": {"value": 100}}}, **to()}], "GET /",
         Want(status=418)),
    case("abort-never", [{"fault": {"abort": {"httpStatus": 418, "percentage": {"value": 0}}}, **to()}], "GET /", A),
    case("abort-unsaid", [{"fault": {"abort": {"httpStatus": 418}}, **to()}], "GET /", A),
    case("abort-grpc", [{"fault": {"abort": {"grpcStatus": "UNAVAILABLE", "percentage": {"value": 100}}}, **to()}],
         "POST /", Want(answer={"grpc-status": "14"}), {"content-type": "application/grpc"}),
    case("cors-preflight", [{"corsPolicy": CORS, **to()}], "OPTIONS /", Want(answer={
        "access-control-allow-origin": "http://ok.com", "access-control-allow-methods": "GET",
        "access-control-max-age": "60", "access-control-allow-credentials": "true"}), PREFLIGHT),
    case("cors-request", [{"corsPolicy": CORS, **to()}], "GET /", Want("a", answer={
        "access-control-allow-origin": "http://ok.com", "access-control-expose-headers": "x-seen"}), PREFLIGHT),
    case("cors-stranger", [{"corsPolicy": CORS, **to()}], "GET /", Want("a", answer={
        "access-control-allow-origin": None}), STRANGER),
    case("cors-stranger-preflight", [{"corsPolicy": CORS, **to()}], "OPTIONS /", Want("a"), STRANGER),
    case("cors-stranger-ignored", [{"corsPolicy": {**CORS, "unmatchedPreflights": "IGNORE"}, **to()}], "OPTIONS /",
         Want(answer={"access-control-allow-origin": None}), STRANGER),
    case("cors-any", [{"corsPolicy": {"allowOrigin": ["*"]}, **to()}], "GET /", Want("a", answer={
        "access-control-allow-origin": "http://no.com"}), STRANGER),
    case("delegated", [{"match": [{"uri": {"prefix": "/root"}}], "delegate": {"name": "delegate"}}, to()],
         "GET /root/leaf/x", B),
    case("delegated-elsewhere", [{"match": [{"uri": {"prefix": "/root"}}], "delegate": {"name": "delegate"}}, to()],
         "GET /elsewhere", A),
    case("delegate-missing", [{"match": [{"uri": {"prefix": "/root"}}], "delegate": {"name": "nobody"}}, to()],
         "GET /root", A),
    case("mirrored", [{"mirror": {"host": "b"}, **to()}], "GET /mirror-one", A),
    case("mirrored-twice", [{"mirrors": [{"destination": {"host": "b"}},
                                         {"destination": {"host": "a", "subset": "v1"}}], **to()}],
         "GET /mirror-two", A),
    case("mirrored-never", [{"mirror": {"host": "b"}, "mirrorPercentage": {"value": 0}, **to()}], "GET /mirror-no", A),
    case("mirrored-to-nobody", [{"mirror": {"host": "nobody"}, **to()}], "GET /", A),
]  # fmt: skip


class Backends:
    """One HTTP server per cluster; each answers with what it got."""

    def __init__(self) -> None:
        self.mirrored: Queue[tuple[str, str]] = Queue()
        """Backends and paths of `/mirror...` requests."""
        self.counts: dict[str, int] = {}
        self.lock = threading.Lock()
        self.released = threading.Event()
        self.servers = {name: ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, name)) for name in BACKENDS.values()}
        for server in self.servers.values():
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.released.set()
        for server in self.servers.values():
            server.shutdown()
            server.server_close()

    def count(self, key: str) -> int:
        """How often this was asked, this time included."""
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]


def _handler(backends: Backends, name: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            host, parts = self.headers["host"] or "", self.path.split("?")[0].split("/")
            if parts[1] in ("sleep", "sleep-once") and (
                parts[1] == "sleep" or backends.count(f"{host}{self.path}") == 1
            ):
                # Nobody waits for the answer.
                backends.released.wait()
            if parts[1] == "pause":
                backends.released.wait(0.4)
            if parts[1] == "lose" and backends.count(f"{host}{self.path}") <= int(parts[2]):
                # As a server that is killed with the request in its hands.
                self.close_connection = True
                return
            failing = parts[1] == "fail" and backends.count(f"{host}{self.path}") <= int(parts[3])
            if parts[1].startswith("mirror"):
                backends.mirrored.put((name, self.path))
            got: dict[str, list[str]] = {}
            for key, value in self.headers.items():
                got.setdefault(key.lower(), []).append(value)
            told = {"backend": name, "path": self.path, "headers": {k: ",".join(v) for k, v in got.items()}}
            body = json.dumps(told).encode()
            self.send_response(int(parts[2]) if failing else 200)
            self.send_header("content-length", str(len(body)))
            self.send_header("x-gone", "1")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_OPTIONS = answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def _mesh() -> Mesh:
    mesh = Mesh(SERVICES)
    mesh.apply(
        *(
            {"kind": "VirtualService", "metadata": {"name": each.name, "namespace": "default"},
             "spec": {"hosts": [f"{each.name}.com"], "http": each.http}}
            for each in CASES
        ),
        {"kind": "VirtualService", "metadata": {"name": "shares", "namespace": "default"}, "spec": {
            "hosts": ["shares.com"],
            "http": [{"route": [{"destination": {"host": "a"}, "weight": 1},
                                {"destination": {"host": "b"}, "weight": 1}]}]}},
        {"kind": "VirtualService", "metadata": {"name": "delays", "namespace": "default"}, "spec": {
            "hosts": ["delays.com"],
            "http": [{"fault": {"delay": {"fixedDelay": "0.2s", "percentage": {"value": 100}}}, **to()}]}},
    )  # fmt: skip
    return mesh


def _bootstrap(routes: Any, backends: Backends) -> dict[str, Any]:
    manager = hcm_pb2.HttpConnectionManager(stat_prefix="test", route_config=routes)
    add_http_filters(manager, outbound=True, grpc_web=False, suppress_envoy_headers=False, announce_http=False)
    listener = listener_pb2.Listener(name="http")
    listener.address.socket_address.address = "127.0.0.1"
    listener.address.socket_address.port_value = 0
    chain = listener.filter_chains.add().filters.add(name="envoy.filters.network.http_connection_manager")
    chain.typed_config.Pack(manager)
    ports = {cluster: backends.servers[name].server_address[1] for cluster, name in BACKENDS.items()}
    clusters = [_cluster(name, [port]) for name, port in ports.items()]
    clusters += [_cluster(name, []) for name in ("BlackHoleCluster", "PassthroughCluster")]
    return {
        "node": {"id": "test", "cluster": "test"},
        "static_resources": {
            "listeners": [json_format.MessageToDict(listener, preserving_proto_field_name=True)],
            "clusters": clusters,
        },
    }


def _cluster(name: str, ports: list[int]) -> dict[str, Any]:
    endpoints = [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}} for port in ports
    ]
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}
    return {"name": name, "type": "STATIC", "connect_timeout": "1s", "load_assignment": assignment}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


class World(NamedTuple):
    backends: Backends
    address: tuple[str, int]

    def ask(self, host: str, request: str, headers: Mapping[str, str] | None = None) -> Answer:
        method, path = request.split(" ")
        connection = HTTPConnection(*self.address, timeout=60)
        try:
            connection.request(method, path, headers={"host": host, **(headers or {})})
            answer = connection.getresponse()
            body = answer.read().decode()
        finally:
            connection.close()
        return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, body)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    mesh = _mesh()
    proxy = mesh.proxy(labels={"app": "client"})
    from lateen.translate.routes.outbound import listing

    recipes = {recipe.name: recipe for view in mesh.views(proxy)[:1] for recipe in mesh.get(listing, view)}
    routes = decoded(ResourceType.RDS, mesh.make(recipes["80"]))
    backends = Backends()
    try:
        with RunningEnvoy(_bootstrap(routes, backends), log_level="warning") as envoy:
            addresses = envoy.until(envoy.addresses, "the listener listens")
            yield World(backends, addresses["http"])
    finally:
        backends.close()


@pytest.mark.parametrize("each", CASES, ids=[each.name for each in CASES])
def test_route(world: World, each: Case) -> None:
    answer = world.ask(f"{each.name}.com", each.request, each.headers)
    want = each.want
    told = json.loads(answer.body) if answer.body.startswith("{") else {}
    assert (answer.status, told.get("backend", "")) == (want.status, want.backend), answer
    for name, value in want.headers.items():
        assert told["headers"].get(name) == value, told
    for name, value in want.answer.items():
        assert answer.headers.get(name) == value, answer
    if want.path:
        assert told["path"] == want.path
    if want.body:
        assert answer.body == want.body


def test_shares_reach_both(world: World) -> None:
    found = {json.loads(world.ask("shares.com", "GET /").body)["backend"] for _ in range(40)}
    assert found == {"a", "b"}


def test_delay(world: World) -> None:
    start = time.monotonic()
    assert world.ask("delays.com", "GET /").status == 200
    assert time.monotonic() - start >= 0.19


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [("mirrored.com", "/mirror-a", ["a", "b"]), ("mirrored-twice.com", "/mirror-b", ["a", "a-v1", "b"])],
)
def test_copies_arrive(world: World, host: str, path: str, expected: list[str]) -> None:
    world.ask(host, f"GET {path}")
    found: list[str] = []
    while sorted(found) != expected:
        try:
            name, seen = world.backends.mirrored.get(timeout=60)
        except Empty:
            raise AssertionError(f"only {found} got {path}") from None
        if seen == path:
            found.append(name)


@pytest.mark.parametrize(
    "host",
    [
        "a",
        "a.default",
        "a.default.svc",
        "a.default.svc.cluster.local",
        "a.default.svc.cluster.local.",
        "10.0.0.1",
        "a:80",
        "a.default:8080",
        "10.0.0.1:80",
    ],
)
def test_every_name_of_a_service(world: World, host: str) -> None:  # fmt: skip
    assert json.loads(world.ask(host, "GET /").body)["backend"] == "a"


def test_unknown_hosts_pass_through(world: World) -> None:
    # The cluster is there, without endpoints: the request was routed, not refused as not found.
    answer = world.ask("unknown.com", "GET /")
    assert (answer.status, answer.body) == (503, "no healthy upstream")

"""The ingress tasks that people know from the documentation, at a real gateway.

One mesh of manifests as users write them, one istiod, an ingress gateway.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from lateen.testing.backends import http_backend, tcp_backend, tcp_say
from lateen.testing.certificates import Authority, Pair, client_tls, server_tls, tls_secret
from lateen.testing.task_mesh import Answer, TaskMesh, pod

pytestmark = pytest.mark.asyncio(loop_scope="module")

SYSTEM = "istio-system"
INGRESS = "127.0.0.3"

SERVICES = """
apiVersion: v1
kind: Service
metadata:
  name: istio-ingressgateway
  namespace: istio-system
  annotations: {networking.istio.io/exportTo: "."}
spec:
  type: LoadBalancer
  selector: {istio: ingressgateway}
  ports:
  - {name: http2, port: 80, targetPort: $port_http}
  - {name: https, port: 443, targetPort: $port_https}
  - {name: tcp, port: 31400, targetPort: $port_stream}
---
apiVersion: v1
kind: Service
metadata: {name: httpbin, annotations: {networking.istio.io/exportTo: "., istio-system"}}
spec: {selector: {app: httpbin}, ports: [{name: http, port: $port_inside, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: tcp-echo, annotations: {networking.istio.io/exportTo: "istio-system"}}
spec: {selector: {app: tcp-echo}, ports: [{name: tcp, port: 9000, targetPort: tcp}]}
---
apiVersion: v1
kind: Service
metadata: {name: nginx, annotations: {networking.istio.io/exportTo: "istio-system"}}
spec: {selector: {app: nginx}, ports: [{name: https, port: 443, targetPort: https}]}
"""

MANIFESTS = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: public}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [httpbin.example.com, shop.example.com]
  - port: {number: 80, name: http-redirect, protocol: HTTP}
    hosts: [secure.example.com]
    tls: {httpsRedirect: true}
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [secure.example.com]
    tls: {mode: SIMPLE, credentialName: secure-credential}
  - port: {number: 443, name: https-mutual, protocol: HTTPS}
    hosts: [mutual.example.com]
    tls: {mode: MUTUAL, credentialName: mutual-credential}
  - port: {number: 443, name: https-passthrough, protocol: TLS}
    hosts: [nginx.example.com]
    tls: {mode: PASSTHROUGH}
  - port: {number: 31400, name: tcp, protocol: TCP}
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: httpbin}
spec:
  hosts: [httpbin.example.com, secure.example.com, mutual.example.com]
  gateways: [public]
  http:
  - match: [{uri: {prefix: /status}}, {uri: {prefix: /delay}}]
    route: [{destination: {host: httpbin, port: {number: $port_inside}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.example.com]
  gateways: [public]
  http:
  - match: [{uri: {prefix: /productpage}}]
    delegate: {name: productpage, namespace: team}
  - match: [{uri: {regex: "/api/v1/products(/[0-9]+)?"}}, {uri: {exact: /login}}]
    route: [{destination: {host: httpbin}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: productpage, namespace: team}
spec:
  http:
  - match: [{uri: {prefix: /productpage/v2/}}]
    rewrite: {uri: /}
    route: [{destination: {host: httpbin.default.svc.cluster.local}}]
  - directResponse: {status: 203, body: {string: "the page"}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: nginx}
spec:
  hosts: [nginx.example.com]
  gateways: [public]
  tls:
  - match: [{port: 443, sniHosts: [nginx.example.com]}]
    route: [{destination: {host: nginx, port: {number: 443}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: tcp-echo}
spec:
  hosts: ["*"]
  gateways: [public]
  tcp:
  - match: [{port: 31400}]
    route: [{destination: {host: tcp-echo, port: {number: 9000}}}]
"""


class World:
    def __init__(self, mesh: TaskMesh) -> None:
        self.mesh = mesh
        self.servers = Authority("servers")
        self.clients = Authority("clients")

    async def enter(self, host: str, path: str = "/status/200", **headers: str) -> Answer:
        """A request from outside, by HTTP."""
        return await self.mesh.call(self.mesh.port("http"), host, path, headers=headers)

    async def enter_securely(
        self, host: str, roots: str = "", certificate: Pair | None = None, path: str = "/status/200"
    ) -> Answer:
        tls = client_tls(roots or self.servers.root, certificate)
        return await self.mesh.call(self.mesh.port("https"), host, path, tls=tls)

    def credential(self, name: str, pair: Pair, roots: str = "") -> None:
        self.mesh.apply(name, "", tls_secret(name, pair, roots))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    mesh = TaskMesh(tmp_path_factory.mktemp("tasks"))
    world = World(mesh)
    own = server_tls(Authority("nginx").issue("nginx.example.com"))
    async with AsyncExitStack() as stack:
        mesh.apply(
            "services",
            SERVICES,
            pod("ingress", INGRESS, {}, namespace=SYSTEM, istio="ingressgateway"),
            pod(
                "httpbin",
                "127.0.4.1",
                {"http": await stack.enter_async_context(http_backend("httpbin", "127.0.4.1"))},
                app="httpbin",
            ),
            pod(
                "nginx",
                "127.0.4.2",
                {"https": await stack.enter_async_context(http_backend("nginx", "127.0.4.2", tls=own))},
                app="nginx",
            ),
            pod(
                "tcp-echo",
                "127.0.4.3",
                {"tcp": await stack.enter_async_context(tcp_backend("echo", "127.0.4.3"))},
                app="tcp-echo",
            ),
        )
        mesh.apply("ingress", MANIFESTS)
        world.credential("secure-credential", world.servers.issue("secure.example.com"))
        world.credential("mutual-credential", world.servers.issue("mutual.example.com"), world.clients.root)
        await stack.enter_async_context(mesh)
        labels = {"istio": "ingressgateway"}
        await mesh.proxy("ingress", 3, role="router", namespace=SYSTEM, labels=labels, address=INGRESS)
        yield world


@pytest.mark.parametrize(
    ("host", "path", "status", "name"),
    [
        ("httpbin.example.com", "/status/200", 200, "httpbin"),
        ("httpbin.example.com", "/delay/5", 200, "httpbin"),
        ("httpbin.example.com", "/headers", 404, ""),
        ("unknown.example.com", "/status/200", 404, ""),
        ("shop.example.com", "/login", 200, "httpbin"),
        ("shop.example.com", "/login/x", 404, ""),
        ("shop.example.com", "/api/v1/products", 200, "httpbin"),
        ("shop.example.com", "/api/v1/products/7", 200, "httpbin"),
        ("shop.example.com", "/api/v1/products/x", 404, ""),
        ("shop.example.com", "/productpage/v2/x", 200, "httpbin"),
        ("shop.example.com", "/productpage", 203, ""),
    ],
)
async def test_ingress(world: World, host: str, path: str, status: int, name: str) -> None:
    answer = await world.enter(host, path)
    assert (answer.status, answer.name) == (status, name)


async def test_a_gateway_says_who_answered(world: World) -> None:
    answer = await world.enter("httpbin.example.com")
    assert answer.headers["server"] == "istio-envoy"
    assert answer.sent["x-forwarded-proto"] == "http"
    assert answer.sent["x-envoy-attempt-count"] == "1"


async def test_ingress_redirects_to_https(world: World) -> None:
    answer = await world.enter("secure.example.com")
    assert (answer.status, answer.headers["location"]) == (301, "https://secure.example.com/status/200")


async def test_secure_ingress(world: World) -> None:
    answer = await world.enter_securely("secure.example.com")
    assert (answer.name, answer.sent["x-forwarded-proto"]) == ("httpbin", "https")
    assert (await world.enter_securely("secure.example.com", path="/other")).status == 404


async def test_secure_ingress_with_client_certificates(world: World) -> None:
    answer = await world.enter_securely("mutual.example.com", certificate=world.clients.issue("someone.example.com"))
    assert "DNS=someone.example.com" in answer.sent["x-forwarded-client-cert"]
    with pytest.raises(OSError):
        await world.enter_securely("mutual.example.com")
    with pytest.raises(OSError):
        await world.enter_securely("mutual.example.com", certificate=world.servers.issue("someone.example.com"))


async def test_ingress_without_tls_termination(world: World) -> None:
    own = ssl.create_default_context()
    own.check_hostname = False
    own.verify_mode = ssl.CERT_NONE
    answer = await world.mesh.call(world.mesh.port("https"), "nginx.example.com", tls=own)
    assert answer.name == "nginx"
    with pytest.raises(ssl.SSLCertVerificationError):
        await world.enter_securely("nginx.example.com")


async def test_tcp_ingress(world: World) -> None:
    assert await tcp_say("127.0.0.1", world.mesh.port("stream"), "hello") == "echo: hello"


async def test_a_rotated_credential_is_shown_at_once(world: World) -> None:
    fresh = Authority("fresh")
    world.credential("secure-credential", fresh.issue("secure.example.com"))

    async def shown() -> bool:
        try:
            return (await world.enter_securely("secure.example.com", fresh.root)).status == 200
        except OSError:
            return False

    for _ in range(500):
        if await shown():
            break
        await asyncio.sleep(0.02)
    else:
        pytest.fail("the old certificate is still shown")
    world.credential("secure-credential", world.servers.issue("secure.example.com"))

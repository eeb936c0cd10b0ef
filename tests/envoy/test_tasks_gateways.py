"""The ingress and egress tasks that people know from the documentation, at real gateways.

One mesh of manifests as users write them, one istiod, an ingress gateway, an egress gateway, and the sidecar of a
caller.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from lateen.testing.backends import http_backend, tcp_backend, tcp_say
from lateen.testing.certificates import Authority, Pair
from lateen.testing.task_mesh import Answer, TaskMesh, pod

pytestmark = pytest.mark.asyncio(loop_scope="module")

SYSTEM = "istio-system"
INGRESS = "127.0.0.3"
EGRESS = "127.0.0.4"

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
metadata: {name: istio-egressgateway, namespace: istio-system}
spec:
  selector: {istio: egressgateway}
  ports:
  - {name: http2, port: $port_egress_http, targetPort: $port_gateway_http}
  - {name: https, port: $port_egress_mutual, targetPort: $port_gateway_mutual}
  - {name: tls, port: $port_egress_tls, targetPort: $port_gateway_tls}
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

INGRESS_MANIFESTS = """
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

EGRESS_MANIFESTS = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: direct}
spec:
  hosts: [direct.example.com]
  location: MESH_EXTERNAL
  ports: [{number: $port_web, name: http, protocol: HTTP}, {number: $port_tls, name: tls, protocol: TLS}]
  resolution: DNS
  endpoints: [{address: localhost, ports: {http: $plain, tls: $secure}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: direct}
spec:
  hosts: [direct.example.com]
  http: [{timeout: 0.3s, route: [{destination: {host: direct.example.com}}]}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: originated}
spec:
  hosts: [originated.example.com]
  ports: [{number: $port_web, name: http, protocol: HTTP, targetPort: $secure}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: originated}
spec:
  host: originated.example.com
  trafficPolicy:
    portLevelSettings:
    - port: {number: $port_web}
      tls: {mode: SIMPLE, caCertificates: $roots}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: guarded}
spec:
  hosts: [guarded.example.com]
  ports:
  - {number: $port_web, name: http, protocol: HTTP}
  - {number: $port_guarded, name: https, protocol: HTTPS}
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {http: $plain, https: $mutual}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: egress}
spec:
  selector: {istio: egressgateway}
  servers:
  - port: {number: $port_egress_http, name: http, protocol: HTTP}
    hosts: [plain.example.com]
  - port: {number: $port_egress_mutual, name: https, protocol: HTTPS}
    hosts: [guarded.example.com]
    tls: {mode: ISTIO_MUTUAL}
  - port: {number: $port_egress_tls, name: tls, protocol: TLS}
    hosts: ["*.wiki.example.com"]
    tls: {mode: PASSTHROUGH}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: egress}
spec:
  host: istio-egressgateway.istio-system.svc.cluster.local
  subsets:
  - name: guarded
    trafficPolicy:
      portLevelSettings:
      - port: {number: $port_egress_mutual}
        tls: {mode: ISTIO_MUTUAL, sni: guarded.example.com}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: guarded}
spec:
  hosts: [guarded.example.com]
  gateways: [egress, mesh]
  http:
  - match: [{gateways: [mesh], port: $port_web}]
    route:
    - destination:
        host: istio-egressgateway.istio-system.svc.cluster.local
        subset: guarded
        port: {number: $port_egress_mutual}
  - match: [{gateways: [egress], port: $port_egress_mutual}]
    route: [{destination: {host: guarded.example.com, port: {number: $port_guarded}}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: guarded}
spec:
  host: guarded.example.com
  trafficPolicy:
    portLevelSettings:
    - port: {number: $port_guarded}
      tls: {mode: MUTUAL, credentialName: client-credential, sni: guarded.example.com}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: plain}
spec:
  hosts: [plain.example.com]
  ports: [{number: $port_web, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {http: $plain}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: plain}
spec:
  hosts: [plain.example.com]
  gateways: [egress, mesh]
  http:
  - match: [{gateways: [mesh], port: $port_web}]
    route:
    - destination: {host: istio-egressgateway.istio-system.svc.cluster.local, port: {number: $port_egress_http}}
  - match: [{gateways: [egress], port: $port_egress_http}]
    headers: {request: {set: {x-egress: "yes"}}}
    route: [{destination: {host: plain.example.com, port: {number: $port_web}}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wiki}
spec:
  hosts: [www.wiki.example.com]
  ports: [{number: $port_tls, name: https, protocol: HTTPS}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {https: $wiki}}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wikis}
spec:
  hosts: ["*.wiki.example.com"]
  ports: [{number: $port_wiki, name: https, protocol: HTTPS}]
  resolution: NONE
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: wikis}
spec:
  hosts: ["*.wiki.example.com"]
  gateways: [mesh, egress]
  tls:
  - match: [{gateways: [mesh], port: $port_wiki, sniHosts: ["*.wiki.example.com"]}]
    route:
    - destination: {host: istio-egressgateway.istio-system.svc.cluster.local, port: {number: $port_egress_tls}}
  - match: [{gateways: [egress], port: $port_egress_tls, sniHosts: ["*.wiki.example.com"]}]
    route: [{destination: {host: www.wiki.example.com, port: {number: $port_tls}}}]
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
        tls = self.mesh.client_tls(roots or self.servers.root, certificate)
        return await self.mesh.call(self.mesh.port("https"), host, path, tls=tls)

    async def leave(self, host: str, **headers: str) -> Answer:
        """A request of the caller in the mesh, by HTTP."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.mesh.call(self.mesh.port("web"), host, headers=named)

    def credential(self, name: str, pair: Pair, roots: str = "") -> None:
        data = {"tls.crt": pair.certificate, "tls.key": pair.key} | ({"ca.crt": roots} if roots else {})
        secret: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": SYSTEM},
            "type": "kubernetes.io/tls",
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
        }
        self.mesh.apply(name, "", secret)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    mesh = TaskMesh(tmp_path_factory.mktemp("tasks"))
    world = World(mesh)
    hosts = ("direct.example.com", "originated.example.com", "guarded.example.com", "*.wiki.example.com")
    secure = mesh.server_tls(world.servers, *hosts)
    mutual = mesh.server_tls(world.servers, "guarded.example.com")
    mutual.verify_mode = ssl.CERT_REQUIRED
    mutual.load_verify_locations(cadata=world.clients.root)
    own = mesh.server_tls(Authority("nginx"), "nginx.example.com")
    async with AsyncExitStack() as stack:

        async def backend(name: str, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> int:
            return await stack.enter_async_context(http_backend(name, host, tls=tls))

        mesh.values |= {
            "plain": await backend("plain"),
            "secure": await backend("secure", tls=secure),
            "wiki": await backend("wiki", tls=secure),
            "mutual": await backend("mutual", tls=mutual),
            "roots": mesh.file("roots.pem", world.servers.root),
        }
        mesh.apply(
            "services",
            SERVICES,
            pod("ingress", INGRESS, {}, namespace=SYSTEM, istio="ingressgateway"),
            pod("egress", EGRESS, {}, namespace=SYSTEM, istio="egressgateway"),
            pod("httpbin", "127.0.4.1", {"http": await backend("httpbin", "127.0.4.1")}, app="httpbin"),
            pod("nginx", "127.0.4.2", {"https": await backend("nginx", "127.0.4.2", own)}, app="nginx"),
            pod(
                "tcp-echo",
                "127.0.4.3",
                {"tcp": await stack.enter_async_context(tcp_backend("echo", "127.0.4.3"))},
                app="tcp-echo",
            ),
        )
        mesh.apply("ingress", INGRESS_MANIFESTS)
        mesh.apply("egress", EGRESS_MANIFESTS)
        world.credential("secure-credential", world.servers.issue("secure.example.com"))
        world.credential("mutual-credential", world.servers.issue("mutual.example.com"), world.clients.root)
        world.credential("client-credential", world.clients.issue("gateway.example.com"), world.servers.root)
        await stack.enter_async_context(mesh)
        ingress, egress = {"istio": "ingressgateway"}, {"istio": "egressgateway"}
        await mesh.proxy("ingress", 3, role="router", namespace=SYSTEM, labels=ingress, address=INGRESS)
        await mesh.proxy("egress", 3, role="router", namespace=SYSTEM, labels=egress, address=EGRESS)
        await mesh.proxy("caller", 8)
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


async def test_external_services_by_http(world: World) -> None:
    assert (await world.leave("direct.example.com")).name == "plain"
    assert (await world.leave("direct.example.com", x_answer_delay="2")).status == 504


async def test_external_services_by_tls(world: World) -> None:
    """Those that share a port are told apart by server name."""
    tls, port = world.mesh.client_tls(world.servers.root), world.mesh.port("tls")
    assert (await world.mesh.call(port, "direct.example.com", tls=tls)).name == "secure"
    assert (await world.mesh.call(port, "www.wiki.example.com", tls=tls)).name == "wiki"


async def test_tls_origination(world: World) -> None:
    answer = await world.leave("originated.example.com")
    assert (answer.name, answer.sent["host"]) == ("secure", "originated.example.com")


async def test_egress_gateway(world: World) -> None:
    answer = await world.leave("plain.example.com")
    assert (answer.name, answer.sent.get("x-egress")) == ("plain", "yes")


async def test_egress_gateway_that_originates_mutual_tls(world: World) -> None:
    """Mutual TLS of the mesh up to the gateway, and the gateway's own certificate from there on."""
    answer = await world.leave("guarded.example.com")
    assert (answer.status, answer.name) == (200, "mutual")


async def test_egress_gateway_for_wildcards(world: World) -> None:
    tls = world.mesh.client_tls(world.servers.root)
    assert (await world.mesh.call(world.mesh.port("wiki"), "en.wiki.example.com", tls=tls)).name == "wiki"

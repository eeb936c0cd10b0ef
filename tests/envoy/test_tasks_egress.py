"""The tasks about external services and egress gateways that people know from the documentation, at a real gateway.

One mesh of manifests as users write them, one istiod, an egress gateway, and the sidecar of a caller.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from lateen.testing.backends import http_backend
from lateen.testing.certificates import Authority, client_tls, server_tls, tls_secret
from lateen.testing.task_mesh import Answer, TaskMesh, pod

pytestmark = pytest.mark.asyncio(loop_scope="module")

SYSTEM = "istio-system"
EGRESS = "127.0.0.4"

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: istio-egressgateway, namespace: istio-system}
spec:
  selector: {istio: egressgateway}
  ports:
  - {name: http2, port: $port_egress_http, targetPort: $port_gateway_http}
  - {name: https, port: $port_egress_mutual, targetPort: $port_gateway_mutual}
  - {name: tls, port: $port_egress_tls, targetPort: $port_gateway_tls}
"""

MANIFESTS = """
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
  http: [{timeout: 3s, route: [{destination: {host: direct.example.com}}]}]
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

    async def leave(self, host: str, **headers: str) -> Answer:
        """A request of the caller in the mesh, by HTTP."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.mesh.call(self.mesh.port("web"), host, headers=named)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    mesh = TaskMesh(tmp_path_factory.mktemp("tasks"))
    world = World(mesh)
    hosts = ("direct.example.com", "originated.example.com", "guarded.example.com", "*.wiki.example.com")
    secure = server_tls(world.servers.issue(*hosts))
    mutual = server_tls(world.servers.issue("guarded.example.com"))
    mutual.verify_mode = ssl.CERT_REQUIRED
    mutual.load_verify_locations(cadata=world.clients.root)
    async with AsyncExitStack() as stack:

        async def backend(name: str, tls: ssl.SSLContext | None = None) -> int:
            return await stack.enter_async_context(http_backend(name, tls=tls))

        mesh.values |= {
            "plain": await backend("plain"),
            "secure": await backend("secure", secure),
            "wiki": await backend("wiki", secure),
            "mutual": await backend("mutual", mutual),
            "roots": mesh.file("roots.pem", world.servers.root),
        }
        mesh.apply("services", SERVICES, pod("egress", EGRESS, {}, namespace=SYSTEM, istio="egressgateway"))
        mesh.apply("egress", MANIFESTS)
        pair = world.clients.issue("gateway.example.com")
        mesh.apply("credential", "", tls_secret("client-credential", pair, world.servers.root))
        await stack.enter_async_context(mesh)
        labels = {"istio": "egressgateway"}
        await mesh.proxy("egress", 3, role="router", namespace=SYSTEM, labels=labels, address=EGRESS)
        await mesh.proxy("caller", 7)
        yield world


async def test_external_services_by_http(world: World) -> None:
    assert (await world.leave("direct.example.com")).name == "plain"
    assert (await world.leave("direct.example.com", x_answer_delay="10")).status == 504


async def test_external_services_by_tls(world: World) -> None:
    """Those that share a port are told apart by server name."""
    tls, port = client_tls(world.servers.root), world.mesh.port("tls")
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
    tls = client_tls(world.servers.root)
    assert (await world.mesh.call(world.mesh.port("wiki"), "en.wiki.example.com", tls=tls)).name == "wiki"

"""The authorization tasks that people know from the documentation: HTTP, explicit deny, TCP, ingress.

One mesh of manifests, one istiod, a sidecar per workload; policies come and go as files while it runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from lateen.testing.backends import http_backend, tcp_backend, tcp_say
from lateen.testing.task_mesh import TaskMesh, pod

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORKLOADS = {
    "productpage": "127.0.3.1",
    "details": "127.0.3.2",
    "reviews": "127.0.3.3",
    "ratings": "127.0.3.4",
    "httpbin": "127.0.3.5",
    "tcp-echo": "127.0.3.6",
}
INGRESS = "127.0.3.9"
AS_AGENTS_DO = ("--drain-strategy", "immediate")

BOOKINFO = """
apiVersion: v1
kind: Service
metadata: {name: details}
spec: {selector: {app: details}, ports: [{name: http, port: $port_book, targetPort: $port_page}]}
---
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, ports: [{name: http, port: $port_book, targetPort: $port_page}]}
---
apiVersion: v1
kind: Service
metadata: {name: ratings}
spec: {selector: {app: ratings}, ports: [{name: http, port: $port_book, targetPort: $port_page}]}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: productpage}
spec:
  workloadSelector: {labels: {app: productpage}}
  ingress:
  - {port: {number: $port_page, name: http, protocol: HTTP}, bind: $productpage, defaultEndpoint: 127.0.0.1:$backend}
  egress:
  - {port: {number: $port_book, protocol: HTTP, name: http}, bind: $productpage, hosts: ["./*"]}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: reviews}
spec:
  workloadSelector: {labels: {app: reviews}}
  ingress:
  - {port: {number: $port_page, name: http, protocol: HTTP}, bind: $reviews, defaultEndpoint: 127.0.0.1:$backend}
  egress:
  - {port: {number: $port_book, protocol: HTTP, name: http}, bind: $reviews, hosts: ["./*"]}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: details}
spec:
  workloadSelector: {labels: {app: details}}
  egress: [{hosts: ["~/*"]}]
  ingress:
  - {port: {number: $port_page, name: http, protocol: HTTP}, bind: $details, defaultEndpoint: 127.0.0.1:$backend}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: ratings}
spec:
  workloadSelector: {labels: {app: ratings}}
  egress: [{hosts: ["~/*"]}]
  ingress:
  - {port: {number: $port_page, name: http, protocol: HTTP}, bind: $ratings, defaultEndpoint: 127.0.0.1:$backend}
"""

FOO = """
apiVersion: v1
kind: Service
metadata: {name: httpbin, namespace: foo}
spec: {selector: {app: httpbin}, ports: [{name: http, port: $port_httpbin, targetPort: $port_page}]}
---
apiVersion: v1
kind: Service
metadata: {name: tcp-echo, namespace: foo}
spec:
  selector: {app: tcp-echo}
  ports:
  - {name: tcp, port: $port_echo1, targetPort: $port_9000}
  - {name: tcp-other, port: $port_echo2, targetPort: $port_9001}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: httpbin, namespace: foo}
spec:
  workloadSelector: {labels: {app: httpbin}}
  egress: [{hosts: ["~/*"]}]
  ingress:
  - {port: {number: $port_page, name: http, protocol: HTTP}, bind: $httpbin, defaultEndpoint: 127.0.0.1:$backend}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: tcp-echo, namespace: foo}
spec:
  workloadSelector: {labels: {app: tcp-echo}}
  egress: [{hosts: ["~/*"]}]
  ingress:
  - {port: {number: $port_9000, name: tcp, protocol: TCP}, bind: $tcpecho, defaultEndpoint: 127.0.0.1:$stream}
  - {port: {number: $port_9001, name: tcp2, protocol: TCP}, bind: $tcpecho, defaultEndpoint: 127.0.0.1:$stream}
  - {port: {number: $port_9002, name: tcp3, protocol: TCP}, bind: $tcpecho, defaultEndpoint: 127.0.0.1:$stream}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: httpbin-gateway, namespace: foo}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: $port_ingress, name: http, protocol: HTTP}, bind: $ingress, hosts: ["*"]}
  - {port: {number: $port_ingress_tcp, name: tcp, protocol: TCP}, bind: $ingress, hosts: ["*"]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: httpbin, namespace: foo}
spec:
  hosts: ["*"]
  gateways: [httpbin-gateway]
  http: [{route: [{destination: {host: httpbin, port: {number: $port_httpbin}}}]}]
  tcp:
  - match: [{port: $port_ingress_tcp}]
    route: [{destination: {host: tcp-echo, port: {number: $port_echo1}}}]
"""


def policy(name: str, namespace: str, spec: str) -> str:
    return (
        "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"
    )


def viewer(app: str, principal: str = "") -> str:
    source = f'from: [{{source: {{principals: ["cluster.local/ns/default/sa/{principal}"]}}}}], ' if principal else ""
    rule = f"{{{source}to: [{{operation: {{methods: [GET]}}}}]}}"
    return policy(f"{app}-viewer", "default", f"{{selector: {{matchLabels: {{app: {app}}}}}, rules: [{rule}]}}")


class World:
    def __init__(self, mesh: TaskMesh) -> None:
        self.mesh = mesh

    async def page(self, method: str = "GET") -> int:
        """What somebody without a sidecar gets of productpage."""
        at = WORKLOADS["productpage"]
        return (await self.mesh.call(self.mesh.port("page"), "productpage", method=method, address=at)).status

    async def book(self, caller: str, host: str, method: str = "GET") -> int:
        """What a workload gets of another."""
        at = WORKLOADS[caller]
        return (await self.mesh.call(self.mesh.port("book"), host, method=method, address=at)).status

    async def httpbin(self, path: str, method: str = "GET", **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.mesh.call(self.mesh.port("httpbin"), "httpbin.foo", path, method=method, headers=named)
        return answer.status

    async def ingress(self, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (
            await self.mesh.call(self.mesh.port("ingress"), "any", "/headers", headers=named, address=INGRESS)
        ).status

    async def echo(self, port: str, address: str = "127.0.0.1") -> bool:
        with contextlib.suppress(ConnectionError):
            return await tcp_say(address, self.mesh.port(port), "hello") == "echo: hello"
        return False

    async def until(self, ask: Callable[[], Awaitable[Any]], wanted: Any) -> None:
        deadline = time.monotonic() + 60
        while (found := await ask()) != wanted:
            assert time.monotonic() < deadline, f"wanted {wanted}, still {found}"
            await asyncio.sleep(0.02)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    mesh = TaskMesh(tmp_path_factory.mktemp("tasks"))
    async with AsyncExitStack() as stack:
        mesh.values |= {name.replace("-", ""): address for name, address in WORKLOADS.items()} | {
            "ingress": INGRESS,
            "backend": await stack.enter_async_context(http_backend("application")),
            "stream": await stack.enter_async_context(tcp_backend("echo")),
        }
        injected = {"security.istio.io/tlsMode": "istio"}
        namespaces = {name: "foo" if name in ("httpbin", "tcp-echo") else "default" for name in WORKLOADS}
        pods = [
            pod(name, address, {}, namespace=namespaces[name], app=name, **injected)
            for name, address in WORKLOADS.items()
        ]
        mesh.apply("bookinfo", BOOKINFO, *pods)
        mesh.apply("foo", FOO)
        mesh.apply("policies", "---\n")
        await stack.enter_async_context(mesh)
        listening = {"productpage": 2, "reviews": 2, "tcp-echo": 3}
        for name, address in WORKLOADS.items():
            await mesh.proxy(
                name, listening.get(name, 1), namespace=namespaces[name], address=address, arguments=AS_AGENTS_DO
            )
        # The sidecar of `sleep`, at loopback, and the gateway.
        await mesh.proxy("sleep", 3, namespace="foo")
        labels = {"istio": "ingressgateway", "app": "istio-ingressgateway"}
        await mesh.proxy("gateway", 2, role="router", namespace="istio-system", labels=labels, address=INGRESS)
        yield World(mesh)


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleaned(world: World) -> AsyncIterator[None]:
    yield
    world.mesh.apply("policies", "---\n")
    await world.until(world.page, 200)
    await world.until(lambda: world.httpbin("/get"), 200)
    await world.until(lambda: world.echo("echo1"), True)
    await world.until(world.ingress, 200)


async def test_http_traffic(world: World) -> None:
    """https://istio.io/latest/docs/tasks/security/authorization/authz-http"""
    found = policy("allow-nothing", "default", "{}")
    world.mesh.apply("policies", found)
    await world.until(world.page, 403)
    found += viewer("productpage")
    world.mesh.apply("policies", found)
    await world.until(world.page, 200)
    assert await world.page("POST") == 403
    assert [await world.book("productpage", host) for host in ("details", "reviews")] == [403, 403]
    found += viewer("details", "productpage")
    world.mesh.apply("policies", found)
    await world.until(lambda: world.book("productpage", "details"), 200)
    assert await world.book("productpage", "reviews") == 403
    found += viewer("reviews", "productpage")
    world.mesh.apply("policies", found)
    await world.until(lambda: world.book("productpage", "reviews"), 200)
    assert await world.book("reviews", "ratings") == 403
    found += viewer("ratings", "reviews")
    world.mesh.apply("policies", found)
    await world.until(lambda: world.book("reviews", "ratings"), 200)
    assert await world.book("productpage", "ratings") == 403, "another identity"
    assert await world.book("reviews", "details") == 403
    assert await world.book("reviews", "ratings", "POST") == 403


async def test_connections_of_before(world: World) -> None:
    """A pooled connection is told to close with its next answer: one request more, at most, by the policy of before."""
    connection = http.client.HTTPConnection(WORKLOADS["productpage"], world.mesh.port("page"), timeout=60)

    def ask() -> tuple[int, str | None]:
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("connection")

    with contextlib.closing(connection):
        assert await asyncio.to_thread(ask) == (200, None)
        world.mesh.apply("policies", policy("allow-nothing", "default", "{}"))
        await world.until(world.page, 403)
        assert await asyncio.to_thread(ask) in ((200, "close"), (403, "close"))
        assert await asyncio.to_thread(ask) == (403, None), "a new connection"


async def test_explicit_deny(world: World) -> None:
    """https://istio.io/latest/docs/tasks/security/authorization/authz-deny"""
    assert await world.httpbin("/ip") == 200
    of = "selector: {matchLabels: {app: httpbin}}"
    rule = "to: [{operation: {methods: [GET]}}]"
    world.mesh.apply("policies", policy("deny-method-get", "foo", f"{{{of}, action: DENY, rules: [{{{rule}}}]}}"))
    await world.until(lambda: world.httpbin("/get"), 403)
    assert await world.httpbin("/post", "POST") == 200
    rule += ', when: [{key: "request.headers[x-token]", notValues: [admin]}]'
    denied = policy("deny-method-get", "foo", f"{{{of}, action: DENY, rules: [{{{rule}}}]}}")
    world.mesh.apply("policies", denied)
    await world.until(lambda: world.httpbin("/get", x_token="admin"), 200)
    assert await world.httpbin("/get", x_token="guest") == 403
    allowed = policy(
        "allow-path-ip", "foo", f"{{{of}, action: ALLOW, rules: [{{to: [{{operation: {{paths: [/ip]}}}}]}}]}}"
    )
    world.mesh.apply("policies", denied + allowed)
    await world.until(lambda: world.httpbin("/get", x_token="admin"), 403)
    assert await world.httpbin("/ip", x_token="guest") == 403
    assert await world.httpbin("/ip", x_token="admin") == 200


async def test_tcp_traffic(world: World) -> None:
    """https://istio.io/latest/docs/tasks/security/authorization/authz-tcp"""
    own = WORKLOADS["tcp-echo"]
    first, second = world.mesh.port("9000"), world.mesh.port("9001")

    async def found() -> list[bool]:
        return [await world.echo("echo1"), await world.echo("echo2"), await world.echo("9002", own)]

    def apply(action: str, operation: str) -> None:
        rules = f"[{{to: [{{operation: {operation}}}]}}]"
        spec = f"{{selector: {{matchLabels: {{app: tcp-echo}}}}, action: {action}, rules: {rules}}}"
        world.mesh.apply("policies", policy("tcp-policy", "foo", spec))

    assert await found() == [True, True, True]
    apply("ALLOW", f'{{ports: ["{first}", "{second}"]}}')
    await world.until(found, [True, True, False])
    apply("ALLOW", f'{{methods: [GET], ports: ["{first}"]}}')
    await world.until(found, [False, False, False])
    apply("DENY", f'{{methods: [GET], ports: ["{first}"]}}')
    await world.until(found, [False, True, True])
    apply("DENY", "{methods: [GET]}")
    await world.until(found, [False, False, False])


async def test_ingress_by_address(world: World) -> None:
    """https://istio.io/latest/docs/tasks/security/authorization/authz-ingress"""

    def apply(action: str, field: str, *blocks: str) -> None:
        source = f"{{{field}: [{', '.join(blocks)}]}}"
        of = "selector: {matchLabels: {app: istio-ingressgateway}}"
        spec = f"{{{of}, action: {action}, rules: [{{from: [{{source: {source}}}]}}]}}"
        world.mesh.apply("policies", policy("ingress-policy", "istio-system", spec))

    assert await world.ingress() == 200
    for field in ("ipBlocks", "remoteIpBlocks"):
        apply("ALLOW", field, "1.2.3.4", "5.6.7.0/24")
        await world.until(world.ingress, 403)
        assert await world.ingress(x_forwarded_for="1.2.3.4") == 403, "clients cannot claim an address"
        assert not await world.echo("ingress_tcp", INGRESS)
        apply("ALLOW", field, "1.2.3.4", "127.0.0.0/24")
        await world.until(world.ingress, 200)
        await world.until(lambda: world.echo("ingress_tcp", INGRESS), True)
        apply("DENY", field, "127.0.0.0/24")
        await world.until(world.ingress, 403)
        assert await world.ingress(x_forwarded_for="1.2.3.4") == 403
        apply("DENY", field, "1.2.3.4")
        await world.until(world.ingress, 200)

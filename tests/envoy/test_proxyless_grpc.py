"""Real gRPC libraries without proxies: clients and servers that are told what to do by the control plane alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lateen.model.endpoints import endpoints
from lateen.model.service import ServiceKey
from lateen.testing.certificates import Authority
from lateen.testing.free_port import free_port
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.testing.proxyless import Application, Proxyless, proxyless
from lateen.testing.running_envoy import RunningEnvoy, ads_bootstrap
from lateen.testing.until import until
from lateen.translate.resource import ResourceType

TARGET = "xds:///echo:7070"
ADDRESSES = {"v1": "127.0.0.71", "v2": "127.0.0.72"}
SUBSETS = """
kind: DestinationRule
metadata: {name: echo, namespace: shop}
spec:
  host: echo
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
"""
STRICT = """
kind: PeerAuthentication
metadata: {name: default, namespace: shop}
spec: {mtls: {mode: STRICT}}
"""


def echo(port: int) -> str:
    return f"""
    kind: Service
    metadata: {{name: echo, namespace: shop}}
    spec:
      clusterIP: 10.0.0.5
      selector: {{app: echo}}
      ports: [{{name: grpc, port: 7070, targetPort: {port}}}]
    """


def pod(version: str, annotations: Mapping[str, str] | None = None, **labels: str) -> Mapping[str, Any]:
    address = ADDRESSES[version]
    return {
        "kind": "Pod",
        "metadata": {
            "name": f"echo-{version}",
            "namespace": "shop",
            "labels": {"app": "echo", "version": version, **labels},
            "annotations": dict(annotations or {}),
        },
        "spec": {"serviceAccountName": "echo", "containers": []},
        "status": {"podIP": address, "podIPs": [{"ip": address}]},
    }


def slice_of(port: int, *versions: str) -> Mapping[str, Any]:
    pods = {f"echo-{version}": ADDRESSES[version] for version in versions}
    return endpoint_slice("echo", "shop", ports={"grpc": port}, pods=pods)


def port_of(here: Proxyless) -> int:
    """Of the servers."""
    return here.mesh.get(endpoints, ServiceKey("echo.shop.svc.cluster.local", "shop"), 7070)[0].port


def routes(*http: str) -> str:
    listed = "".join(f"\n  - {each}" for each in http)
    return f"""
kind: VirtualService
metadata: {{name: echo, namespace: shop}}
spec:
  hosts: [echo]
  http:{listed}
"""


def to(subset: str) -> str:
    return f"route: [{{destination: {{host: echo, subset: {subset}}}}}]"


@contextlib.asynccontextmanager
async def two_versions(*resources: str) -> AsyncIterator[tuple[Proxyless, Application]]:
    """The service `echo` with two versions of plain servers, and a client in its namespace."""
    port = free_port()
    mesh = Mesh(echo(port), pod("v1"), pod("v2"), slice_of(port, "v1", "v2"), SUBSETS, *resources)
    async with proxyless(mesh) as here, here.application("server.shop") as server, here.application() as client:
        for version, address in ADDRESSES.items():
            await server.serve(f"{address}:{port}", version, by_xds=False)
        yield here, client
        assert not here.rejections


class TestAClient:
    async def test_finds_a_service_by_every_name_and_all_of_its_endpoints(self) -> None:
        async with two_versions() as (_, client):
            for name in ("echo", "echo.shop", "echo.shop.svc", "echo.shop.svc.cluster.local", "10.0.0.5"):
                await client.until(f"xds:///{name}:7070", "v1", "v2", count=10)

    async def test_of_another_namespace_knows_the_names_that_say_which(self) -> None:
        async with two_versions() as (here, _), here.application("client.other") as client:
            await client.until("xds:///echo.shop:7070", "v1", "v2", count=10)

    async def test_asks_for_nothing_but_what_it_needs(self) -> None:
        async with two_versions() as (here, client):
            await client.until(TARGET, "v1", "v2", count=10)
            (connection,) = here.server.connections()
            sent = {
                each.type: [found.name for found in each.sent_resources()]
                for each in connection.session.conversations()
            }
            cluster = "outbound|7070||echo.shop.svc.cluster.local"
            assert sent == {
                ResourceType.LDS: ["echo:7070"],
                ResourceType.RDS: [cluster],
                ResourceType.CDS: [cluster],
                ResourceType.EDS: [cluster],
            }

    async def test_is_served_when_a_service_comes_and_told_when_it_goes(self) -> None:
        port = free_port()
        mesh = Mesh(echo(port), pod("v1"), slice_of(port, "v1"))
        mesh.delete("Service", "shop", "echo")
        async with proxyless(mesh) as here, here.application() as client, here.application("server.shop") as server:
            await server.serve(f"{ADDRESSES['v1']}:{port}", "v1", by_xds=False)
            (early,) = await client.call(TARGET, timeout=0.2)
            assert early.startswith("DEADLINE_EXCEEDED")
            here.apply(echo(port))
            await client.until_one(TARGET, "v1")
            here.delete("Service", "shop", "echo")
            await client.until_one(TARGET, "UNAVAILABLE")
            here.apply(echo(port))
            await client.until_one(TARGET, "v1")
            assert not here.rejections

    async def test_follows_endpoints(self) -> None:
        async with two_versions() as (here, client):
            await client.until(TARGET, "v1", "v2", count=10)
            here.apply(slice_of(port_of(here), "v2"))
            await client.until(TARGET, "v2", count=10)


class TestRoutes:
    async def test_by_headers_to_subsets(self) -> None:
        conditions = routes(
            f"{{match: [{{headers: {{x-version: {{exact: v2}}}}}}], {to('v2')}}}",
            f"{{match: [{{headers: {{x-who: {{regex: 'a.*'}}}}, method: {{exact: POST}}}}], {to('v2')}}}",
            f"{{match: [{{headers: {{x-all: {{}}}}, withoutHeaders: {{x-old: {{exact: 'yes'}}}}}}], {to('v2')}}}",
            f"{{match: [{{uri: {{exact: /test.Echo/Say}}, queryParams: {{a: {{exact: b}}}}}}], {to('v2')}}}",
            f"{{match: [{{method: {{exact: GET}}}}], {to('v2')}}}",
            f"{{{to('v1')}}}",
        )
        async with two_versions(conditions) as (_, client):
            for metadata, version in (
                ({}, "v1"),
                ({"x-version": "v2"}, "v2"),
                ({"x-version": "v3"}, "v1"),
                ({"x-who": "anna"}, "v2"),
                ({"x-who": "hanna"}, "v1"),
                ({"x-all": "1"}, "v2"),
                ({"x-all": "1", "x-old": "no"}, "v2"),
                ({"x-all": "1", "x-old": "yes"}, "v1"),
            ):
                assert await client.call(TARGET, count=3, metadata=metadata) == [version] * 3, metadata

    async def test_share_by_weight(self) -> None:
        shares = (
            "{route: [{destination: {host: echo, subset: v1}, weight: 90},"
            " {destination: {host: echo, subset: v2}, weight: 10}]}"
        )
        async with two_versions(routes(shares)) as (_, client):
            found = Counter(await client.call(TARGET, count=400))
            # Six standard deviations to either side.
            assert set(found) == {"v1", "v2"}
            assert 4 <= found["v2"] <= 76

    async def test_try_again_as_often_as_asked(self) -> None:
        async with two_versions(routes(f"{{{to('v1')}, retries: {{attempts: 3, retryOn: 'unavailable'}}}}")) as (
            here,
            client,
        ):
            assert await client.call(TARGET, wish={"key": "three", "failures": 3}) == ["v1"]
            assert await client.call(TARGET, wish={"key": "four", "failures": 4}) == ["UNAVAILABLE: as asked"]
            here.apply(routes(f"{{{to('v2')}, retries: {{attempts: 0}}}}"))
            await client.until(TARGET, "v2")
            assert await client.call(TARGET, wish={"key": "none", "failures": 1}) == ["UNAVAILABLE: as asked"]

    async def test_end_calls_in_time(self) -> None:
        hurried = f"{{match: [{{headers: {{x-hurry: {{}}}}}}], {to('v1')}, timeout: 0.2s, retries: {{attempts: 0}}}}"
        async with two_versions(routes(hurried, f"{{{to('v1')}}}")) as (_, client):
            assert await client.call(TARGET, wish={"seconds": 1}) == ["v1"]
            (late,) = await client.call(TARGET, wish={"seconds": 3}, metadata={"x-hurry": "1"})
            assert late.startswith("DEADLINE_EXCEEDED")

    async def test_inject_faults(self) -> None:
        fault = "fault: {abort: {grpcStatus: RESOURCE_EXHAUSTED, percentage: {value: 100}}}"
        async with two_versions(routes(f"{{{to('v1')}, {fault}}}")) as (_, client):
            assert await client.call(TARGET) == ["RESOURCE_EXHAUSTED: Fault injected"]

    async def test_to_what_is_not_there_fail_and_harm_no_others(self) -> None:
        lost = f"{{match: [{{headers: {{x-lost: {{}}}}}}], {to('v3')}}}"
        async with two_versions(routes(lost, f"{{{to('v1')}}}")) as (_, client):
            assert await client.call(TARGET) == ["v1"]
            (failed,) = await client.call(TARGET, metadata={"x-lost": "1"})
            assert failed.startswith("UNAVAILABLE")

    async def test_change_without_a_failed_call(self) -> None:
        async with two_versions(routes(f"{{{to('v1')}}}")) as (here, client):
            await client.until_one(TARGET, "v1")
            for version, before in (("v2", "v1"), ("v1", "v2"), ("v2", "v1")):
                here.apply(routes(f"{{{to(version)}}}"))
                answers = [before]
                while set(answers) != {version}:
                    answers = await client.call(TARGET, count=20)
                    assert set(answers) <= {before, version}

    async def test_that_grpc_knows_little_of_are_taken_all_the_same(self) -> None:
        strange = routes(
            "{match: [{headers: {x-a: {}}}], redirect: {uri: /elsewhere}}",
            "{match: [{headers: {x-b: {}}}], directResponse: {status: 503, body: {string: later}}}",
            f"{{match: [{{headers: {{x-c: {{}}}}, uri: {{prefix: /test.Echo/}}}}], {to('v2')}, mirror: {{host: echo}},"
            " corsPolicy: {allowOrigins: [{exact: a}]}, rewrite: {uri: /x, authority: y},"
            " headers: {request: {set: {a: b}}, response: {remove: [c]}},"
            " retries: {attempts: 2, retryOn: 'connect-failure,5xx', perTryTimeout: 1s}}",
            f"{{match: [{{uri: {{prefix: /none}}, ignoreUriCase: true}}], {to('v2')}}}",
            f"{{{to('v1')}}}",
        )
        async with two_versions(strange) as (_, client):
            assert await client.call(TARGET) == ["v1"]
            assert await client.call(TARGET, metadata={"x-c": "1"}) == ["v2"]
            for header in ("x-a", "x-b"):
                (failed,) = await client.call(TARGET, metadata={header: "1"})
                assert failed.startswith("UNAVAILABLE")


class TestClusters:
    @pytest.mark.parametrize(
        "settings",
        [
            "{simple: LEAST_REQUEST}",
            "{simple: RANDOM}",
            "{simple: PASSTHROUGH}",
            "{consistentHash: {httpHeaderName: x-user}}",
            "{consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 64}}}",
            "{consistentHash: {httpCookie: {name: a, ttl: 0s}, maglev: {tableSize: 1009}}}",
        ],
    )
    async def test_balance(self, settings: str) -> None:
        rule = f"""
kind: DestinationRule
metadata: {{name: balance, namespace: shop}}
spec:
  host: echo
  trafficPolicy:
    loadBalancer: {settings}
    outlierDetection: {{consecutive5xxErrors: 1}}
    connectionPool: {{tcp: {{maxConnections: 1, connectTimeout: 1s}}, http: {{http2MaxRequests: 50}}}}
"""
        async with two_versions(rule) as (_, client):
            assert set(await client.call(TARGET, count=10, metadata={"x-user": "anna"})) <= {"v1", "v2"}

    async def test_send_those_of_one_user_to_one_endpoint(self) -> None:
        rule = SUBSETS + "  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user}}}\n"
        async with two_versions(rule) as (_, client):
            for user in range(8):
                assert len(set(await client.call(TARGET, count=5, metadata={"x-user": f"{user}"}))) == 1
            seen = [(await client.call(TARGET, metadata={"x-user": f"{user}"}))[0] for user in range(64)]
            assert set(seen) == {"v1", "v2"}

    async def test_have_no_more_calls_at_a_time_than_allowed(self) -> None:
        rule = SUBSETS + "  trafficPolicy: {connectionPool: {http: {http2MaxRequests: 1}}}\n"
        one_try = routes(f"{{{to('v1')}, retries: {{attempts: 0}}}}")
        async with two_versions(rule, one_try) as (_, client):
            assert await client.call(TARGET, waits=True) == ["v1"]
            answers = await client.call(TARGET, count=8, wish={"seconds": 1})
            assert "v1" in answers
            assert any(each.startswith("UNAVAILABLE: circuit breaker drop") for each in answers)

    @pytest.mark.parametrize("tls", ["{mode: SIMPLE}", "{mode: ISTIO_MUTUAL}"])
    async def test_refuse_what_they_cannot_do_rather_than_send_plain_text(self, tls: str) -> None:
        rule = SUBSETS + f"  trafficPolicy: {{tls: {tls}}}\n"
        async with two_versions(rule) as (_, client):
            (failed,) = await client.call(TARGET)
            assert failed.startswith("UNAVAILABLE")

    async def test_prefer_near_endpoints_and_know_those_without_an_address_of_their_own(self) -> None:
        entry = """
kind: ServiceEntry
metadata: {name: outside, namespace: shop}
spec:
  hosts: [outside.example]
  resolution: DNS
  location: MESH_EXTERNAL
  ports: [{number: 7070, name: grpc, protocol: GRPC}]
  endpoints: [{address: 127.0.0.71, ports: {grpc: PORT}, locality: a/b}, {address: localhost, locality: c/d}]
---
kind: DestinationRule
metadata: {name: outside, namespace: shop}
spec:
  host: outside.example
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 3}
    loadBalancer: {localityLbSetting: {enabled: true, failoverPriority: [topology.kubernetes.io/region]}}
"""
        async with two_versions() as (here, client):
            here.apply(entry.replace("PORT", str(port_of(here))))
            await client.until_one("xds:///outside.example:7070", "v1")


@contextlib.asynccontextmanager
async def guarded(
    directory: Path, *resources: str, account: str = "echo", **labels: str
) -> AsyncIterator[tuple[Proxyless, Application, Application]]:
    """The service `echo` with one server by xDS; a client with an identity, and one without."""
    port, authority = free_port(), Authority()
    mesh = Mesh(echo(port), pod("v1", **labels), slice_of(port, "v1"), *resources)

    def identity(name: str) -> tuple[Authority, str, Path]:
        return authority, f"spiffe://cluster.local/ns/shop/sa/{name}", directory / name

    async with (
        proxyless(mesh) as here,
        here.application("echo-v1.shop", address=ADDRESSES["v1"], identity=identity(account)) as server,
        here.application("client.shop", identity=identity("client")) as client,
        here.application("stranger.shop") as stranger,
    ):
        await server.serve(f"{ADDRESSES['v1']}:{port}", "v1")
        yield here, client, stranger
        assert not here.rejections


TAKES_TLS = {"security.istio.io/tlsMode": "istio"}


class TestAServer:
    async def test_takes_plain_text_unless_told_otherwise(self, tmp_path: Path) -> None:
        async with guarded(tmp_path) as (_, client, stranger):
            await client.until_one(TARGET, "v1")
            await stranger.until_one(TARGET, "v1")

    async def test_takes_callers_of_the_mesh_alone_where_told_to(self, tmp_path: Path) -> None:
        async with guarded(tmp_path, STRICT, **TAKES_TLS) as (_, client, stranger):
            await client.until_one(TARGET, "v1")
            (refused,) = await stranger.call(TARGET)
            assert refused.startswith("UNAVAILABLE")

    async def test_that_others_are_told_takes_tls_takes_nothing_else(self, tmp_path: Path) -> None:
        async with guarded(tmp_path, **TAKES_TLS) as (here, client, stranger):
            here.apply(pod("v1", {"inject.istio.io/templates": "grpc-agent"}, **TAKES_TLS))
            await client.until_one(TARGET, "v1")
            (refused,) = await stranger.call(TARGET)
            assert refused.startswith("UNAVAILABLE")

    async def test_without_certificates_takes_nothing_where_they_are_demanded(self) -> None:
        port = free_port()
        mesh = Mesh(echo(port), pod("v1"), slice_of(port, "v1"))
        async with (
            proxyless(mesh) as here,
            here.application("echo-v1.shop", address=ADDRESSES["v1"]) as server,
            here.application("client.shop") as client,
        ):
            await server.serve(f"{ADDRESSES['v1']}:{port}", "v1")
            await client.until_one(TARGET, "v1")
            here.apply(STRICT)
            await client.until_one(TARGET, "PERMISSION_DENIED")
            assert not here.rejections

    async def test_must_be_who_it_is_expected_to_be(self, tmp_path: Path) -> None:
        async with guarded(tmp_path, STRICT, account="impostor", **TAKES_TLS) as (here, client, _stranger):
            await until(here.server.connections)
            (failed,) = await client.call(TARGET)
            assert failed.startswith("UNAVAILABLE")

    async def test_changes_from_plain_text_to_tls(self, tmp_path: Path) -> None:
        async with guarded(tmp_path, **TAKES_TLS) as (here, client, stranger):
            here.mesh.apply(pod("v1"))
            here.apply(
                "{kind: PeerAuthentication, metadata: {name: x, namespace: shop}, spec: {mtls: {mode: DISABLE}}}"
            )
            await stranger.until_one(TARGET, "v1")
            here.delete("PeerAuthentication", "shop", "x")
            here.apply(pod("v1", **TAKES_TLS), STRICT)
            await client.until_one(TARGET, "v1")
            await stranger.until_one(TARGET, "UNAVAILABLE")

    async def test_denies_and_allows(self, tmp_path: Path) -> None:
        def policy(action: str, *rules: str) -> str:
            return (
                "{kind: AuthorizationPolicy, metadata: {name: guard, namespace: shop},"
                f" spec: {{action: {action}, rules: [{', '.join(rules)}]}}}}"
            )

        async with guarded(tmp_path, STRICT, **TAKES_TLS) as (here, client, _stranger):
            await client.until_one(TARGET, "v1")
            for resource, wanted in (
                (policy("DENY", "{to: [{operation: {paths: ['/test.Echo/*'], methods: [POST]}}]}"), False),
                (policy("DENY", "{from: [{source: {principals: ['*/sa/nobody']}}]}"), True),
                (policy("DENY", "{from: [{source: {principals: ['*/sa/client']}}]}"), False),
                (policy("ALLOW", "{from: [{source: {namespaces: [shop], ipBlocks: ['127.0.0.0/8']}}]}"), True),
                (policy("ALLOW", "{from: [{source: {serviceAccounts: [nobody]}}]}"), False),
                (policy("ALLOW", "{to: [{operation: {ports: ['PORT'], hosts: ['echo:*']}}]}"), True),
                (policy("ALLOW"), False),
                (policy("ALLOW", "{when: [{key: 'request.headers[x-key]', values: ['let*']}]}"), True),
                # What gRPC cannot evaluate: the outcome is the one that lets less through.
                (policy("DENY", "{to: [{operation: {paths: ['/{*}/Never']}}]}"), False),
                (policy("DENY", "{to: [{operation: {paths: ['/never']}}]}"), True),
                (policy("ALLOW", "{to: [{operation: {paths: ['/{*}/Say']}}]}"), False),
            ):
                here.apply(resource.replace("PORT", str(port_of(here))))
                await client.until_one(TARGET, "v1" if wanted else "PERMISSION_DENIED", metadata={"x-key": "let-me"})
            (denied,) = await client.call(TARGET)
            assert denied.startswith("PERMISSION_DENIED")


async def test_a_sidecar_speaks_mutual_tls_with_a_server_that_is_its_own_proxy(tmp_path: Path) -> None:
    """And the server knows who calls."""
    port, own, authority = free_port(), free_port(), Authority()
    policy = """
kind: AuthorizationPolicy
metadata: {name: guard, namespace: shop}
spec: {action: ALLOW, rules: [{from: [{source: {serviceAccounts: [web]}}]}]}
"""
    service = echo(own).replace("port: 7070", f"port: {port}")
    mesh = Mesh(service, pod("v1", **TAKES_TLS), slice_of(own, "v1"), STRICT, policy)
    files = authority.workload(tmp_path / "web", "spiffe://cluster.local/ns/shop/sa/web")
    metadata = {
        "INTERCEPTION_MODE": "NONE",
        "LATEEN_CERTIFICATES": {"workload": files.workload, "roots": files.roots},
    }
    identity = authority, "spiffe://cluster.local/ns/shop/sa/echo", tmp_path / "echo"
    async with (
        proxyless(mesh) as here,
        here.application("echo-v1.shop", address=ADDRESSES["v1"], identity=identity) as server,
        here.application() as client,
    ):
        await server.serve(f"{ADDRESSES['v1']}:{own}", "v1")
        node = "sidecar~127.0.0.1~web.shop~shop.svc.cluster.local"
        envoy = RunningEnvoy(ads_bootstrap(node, here.port, metadata=metadata))
        try:
            await asyncio.to_thread(envoy.start)
            await client.until_one(f"127.0.0.1:{port}", "v1", authority=f"echo:{port}")
            here.apply(policy.replace("[web]", "[nobody]"))
            await client.until_one(f"127.0.0.1:{port}", "PERMISSION_DENIED", authority=f"echo:{port}")
        finally:
            await asyncio.to_thread(envoy.stop)
        assert not here.rejections

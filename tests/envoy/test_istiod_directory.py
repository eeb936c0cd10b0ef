"""A real Envoy, a real istiod, a directory of manifests, no cluster: traffic goes where the files say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import grpc
import grpc.aio
import pytest
import yaml

from lateen.testing.backends import grpc_backend, grpc_say, http_backend, tcp_backend, tcp_say
from lateen.testing.certificates import Authority
from lateen.testing.free_port import free_port
from lateen.testing.istiod import IstiodProcess
from lateen.testing.running_envoy import RunningEnvoy, ads_bootstrap

ADDRESS = "127.0.0.1"
NODE_ID = "sidecar~127.0.0.1~client-1.shop~shop.svc.cluster.local"
METADATA = {
    "NAMESPACE": "shop",
    "LABELS": {"app": "client"},
    "INTERCEPTION_MODE": "NONE",
    "CLUSTER_ID": "Kubernetes",
    "SERVICE_ACCOUNT": "client",
}


class Shop:
    """Manifests of a small shop whose endpoints are the test's own servers."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = {name: free_port() for name in ("reviews", "greeter", "ledger", "external")}

    def write(self, name: str, *objects: dict[str, Any]) -> None:
        """Replaces a file as editors do: whole, by renaming."""
        fresh = self.directory / f".{name}.new"
        fresh.write_text(yaml.safe_dump_all(objects))
        fresh.rename(self.directory / f"{name}.yaml")

    def service(self, name: str, port_name: str, backends: dict[str, int]) -> None:
        """A Service with one endpoint per version; each version's port is its server's."""
        objects: list[dict[str, Any]] = [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": "shop"},
                "spec": {
                    "clusterIP": f"10.96.1.{len(name)}",
                    "selector": {"app": name},
                    "ports": [{"name": port_name, "port": self.ports[name]}],
                },
            }
        ]
        for version, port in backends.items():
            address = f"127.0.0.{10 * len(name) + int(version[1:]) - 1}"
            objects.append(
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {
                        "name": f"{name}-{version}",
                        "namespace": "shop",
                        "labels": {"app": name, "version": version},
                    },
                    "spec": {"containers": [{"name": "app", "image": "app"}]},
                    "status": {"podIP": address, "podIPs": [{"ip": address}]},
                }
            )
            objects.append(
                {
                    "apiVersion": "discovery.k8s.io/v1",
                    "kind": "EndpointSlice",
                    "metadata": {
                        "name": f"{name}-{version}",
                        "namespace": "shop",
                        "labels": {"kubernetes.io/service-name": name},
                    },
                    "addressType": "IPv4",
                    "ports": [{"name": port_name, "port": port}],
                    "endpoints": [
                        {
                            "addresses": [address],
                            "conditions": {"ready": True},
                            "targetRef": {"kind": "Pod", "name": f"{name}-{version}", "namespace": "shop"},
                        }
                    ],
                }
            )
        self.write(name, *objects)

    def subsets(self, name: str) -> None:
        self.write(
            f"{name}-rule",
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "DestinationRule",
                "metadata": {"name": name, "namespace": "shop"},
                "spec": {
                    "host": name,
                    "subsets": [{"name": v, "labels": {"version": v}} for v in ("v1", "v2")],
                },
            },
        )

    def remove(self, name: str) -> None:
        (self.directory / f"{name}.yaml").unlink()

    def route(self, name: str, **spec: Any) -> None:
        self.write(
            f"{name}-routes",
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "VirtualService",
                "metadata": {"name": name, "namespace": "shop"},
                "spec": {"hosts": [name], **spec},
            },
        )


def to(name: str, subset: str, weight: int = 100) -> dict[str, Any]:
    return {"destination": {"host": name, "subset": subset}, "weight": weight}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    directory = tmp_path / "manifests"
    directory.mkdir()
    return Shop(directory)


@contextlib.contextmanager
def mesh(shop: Shop) -> Iterator[RunningEnvoy]:
    """istiod on the shop's directory, and the client's sidecar."""
    with IstiodProcess("--config-dir", str(shop.directory)) as istiod:
        port = int(istiod.until_ready()["xds"].rpartition(":")[2])
        files = Authority().workload(shop.directory.parent, "spiffe://cluster.local/ns/shop/sa/client")
        metadata = METADATA | {"LATEEN_CERTIFICATES": {"workload": files.workload, "roots": files.roots}}
        with RunningEnvoy(ads_bootstrap(NODE_ID, port, metadata=metadata)) as envoy:
            yield envoy


async def until(condition: Callable[[], Awaitable[Any]], what: str, seconds: float = 60) -> Any:
    """Asks again until the answer is true; connections that are refused or cut count as not yet."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            if last := await condition():
                return last
        except (OSError, aiohttp.ClientError, grpc.aio.AioRpcError) as error:
            last = error
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what} (last: {last!r})")


class Answer(NamedTuple):
    status: int
    told: dict[str, Any]
    """What the backend says of itself and the request; empty when the answer is not a backend's."""

    @property
    def name(self) -> str:
        return str(self.told.get("name", ""))


class Caller:
    """Calls a service by HTTP, through the sidecar's own port for it."""

    def __init__(self, session: aiohttp.ClientSession, shop: Shop, service: str) -> None:
        self._session = session
        self._host = f"{service}:{shop.ports[service]}"
        self._url = f"http://{ADDRESS}:{shop.ports[service]}"

    async def __call__(self, path: str = "/", **headers: str) -> Answer:
        sent = {"host": self._host} | {key.replace("_", "-"): value for key, value in headers.items()}
        async with self._session.get(self._url + path, headers=sent) as answer:
            text = await answer.text()
            return Answer(answer.status, json.loads(text) if text.startswith("{") else {})

    async def names(self, count: int, path: str = "/", **headers: str) -> Counter[str]:
        """Who answers, of so many requests."""
        answers = [await self(path, **headers) for _ in range(count)]
        return Counter(answer.name for answer in answers)


async def test_http_follows_virtual_services_and_edits(shop: Shop) -> None:
    """Weights, header matches, rewrites, retries, faults and direct responses, each by editing a file."""
    async with (
        http_backend("v1", "127.0.0.70") as first,
        http_backend("v2", "127.0.0.71") as second,
        aiohttp.ClientSession() as session,
    ):
        shop.service("reviews", "http", {"v1": first, "v2": second})
        call = Caller(session, shop, "reviews")
        with mesh(shop):
            await until(lambda: answered_by(call, "v1", "v2"), "both versions answer without any rules")

            shop.subsets("reviews")
            shop.route("reviews", http=[{"route": [to("reviews", "v1")]}])
            await until(lambda: only(call, "v1"), "all goes to v1")

            shop.route(
                "reviews",
                http=[
                    {"match": [{"headers": {"end-user": {"exact": "jason"}}}], "route": [to("reviews", "v2")]},
                    {
                        "match": [{"uri": {"prefix": "/old/"}}],
                        "rewrite": {"uri": "/new/"},
                        "headers": {"request": {"set": {"x-routed": "yes"}}},
                        "route": [to("reviews", "v1")],
                    },
                    {
                        "match": [{"uri": {"exact": "/broken"}}],
                        "fault": {"abort": {"httpStatus": 418, "percentage": {"value": 100}}},
                        "route": [to("reviews", "v1")],
                    },
                    {
                        "match": [{"uri": {"exact": "/hello"}}],
                        "directResponse": {"status": 202, "body": {"string": "hi"}},
                    },
                    {"route": [to("reviews", "v1")]},
                ],
            )
            await until(lambda: status_is(call, "/hello", 202), "the direct response")
            assert await call.names(5, end_user="jason") == {"v2": 5}
            assert await call.names(5, end_user="other") == {"v1": 5}
            assert (await call("/broken")).status == 418
            told = (await call("/old/thing?x=1")).told
            assert (told["path"], told["headers"]["x-routed"]) == ("/new/thing?x=1", "yes")

            shop.route("reviews", http=[{"route": [to("reviews", "v1", 80), to("reviews", "v2", 20)]}])
            await until(lambda: status_is(call, "/hello", 200), "the weights")
            counted = await call.names(400)
            assert sum(counted.values()) == counted["v1"] + counted["v2"] == 400
            # Less than once in 10^10 it is not.
            assert 30 <= counted["v2"] <= 140

            shop.remove("reviews-routes")
            await until(lambda: answered_by(call, "v1", "v2"), "both versions again")


async def test_edits_lose_no_request(shop: Shop) -> None:
    """While one version is taken out, another put in and routes are moved between them, every request is answered."""
    async with (
        http_backend("v1", "127.0.0.70") as first,
        http_backend("v2", "127.0.0.71") as second,
        aiohttp.ClientSession() as session,
    ):
        shop.service("reviews", "http", {"v1": first, "v2": second})
        shop.subsets("reviews")
        shop.route("reviews", http=[{"route": [to("reviews", "v1")]}])
        call = Caller(session, shop, "reviews")
        statuses: Counter[int] = Counter()
        done = asyncio.Event()
        cluster = f"outbound|{shop.ports['reviews']}||reviews.shop.svc.cluster.local"

        async def load() -> None:
            while not done.is_set():
                statuses[(await call()).status] += 1

        with mesh(shop) as envoy:

            async def only_second() -> bool:
                return await asyncio.to_thread(envoy.endpoints, cluster) == {f"127.0.0.71:{second}"}

            await until(lambda: only(call, "v1"), "v1 answers")
            async with asyncio.TaskGroup() as group:
                for _ in range(4):
                    group.create_task(load())
                for version in ("v2", "v1", "v2"):
                    shop.route("reviews", http=[{"route": [to("reviews", version)]}])
                    await until(lambda v=version: only(call, v), f"all goes to {version}")
                # A version that nothing routes to any more may go.
                shop.service("reviews", "http", {"v2": second})
                await until(only_second, "v2 alone is there")
                shop.route("reviews", http=[{"route": [{"destination": {"host": "reviews"}}]}])
                await until(lambda: only(call, "v2"), "v2 alone")
                shop.service("reviews", "http", {"v1": first, "v2": second})
                await until(lambda: answered_by(call, "v1", "v2"), "v1 is back")
                done.set()
        assert set(statuses) == {200}
        assert statuses[200] > 20


async def test_grpc_by_virtual_service(shop: Shop) -> None:
    """gRPC calls are routed by method and metadata."""
    async with grpc_backend("v1", "127.0.0.70") as first, grpc_backend("v2", "127.0.0.71") as second:
        shop.service("greeter", "grpc", {"v1": first, "v2": second})
        shop.subsets("greeter")
        shop.route(
            "greeter",
            http=[
                {
                    "match": [{"uri": {"prefix": "/lateen.testing.Echo/"}, "headers": {"x-version": {"exact": "two"}}}],
                    "route": [to("greeter", "v2")],
                },
                {"route": [to("greeter", "v1")]},
            ],
        )
        target, authority = f"{ADDRESS}:{shop.ports['greeter']}", f"greeter:{shop.ports['greeter']}"

        async def say(**metadata: str) -> str:
            pairs = tuple((key.replace("_", "-"), value) for key, value in metadata.items())
            return await grpc_say(target, "hello", authority=authority, metadata=pairs)

        with mesh(shop):
            assert await until(say, "a greeting") == "v1: hello"
            assert await say(x_version="two") == "v2: hello"


async def test_tcp_by_virtual_service(shop: Shop) -> None:
    """Byte streams are routed too; one that the server begins is not held up by looking at the client's first bytes."""
    async with (
        tcp_backend("v1", "127.0.0.60") as first,
        tcp_backend("v2", "127.0.0.61") as second,
        tcp_backend("external", "127.0.0.90", greets=True) as greeting,
    ):
        shop.service("ledger", "tcp", {"v1": first, "v2": second})
        shop.subsets("ledger")
        shop.route("ledger", tcp=[{"route": [to("ledger", "v1")]}])
        shop.write(
            "external",
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "ServiceEntry",
                "metadata": {"name": "external", "namespace": "shop"},
                "spec": {
                    "hosts": ["db.example.com"],
                    "ports": [{"number": shop.ports["external"], "name": "mysql", "protocol": "MySQL"}],
                    "resolution": "STATIC",
                    "endpoints": [{"address": "127.0.0.90", "ports": {"mysql": greeting}}],
                },
            },
        )
        port = shop.ports["ledger"]
        with mesh(shop):
            assert await until(lambda: tcp_say(ADDRESS, port, "x"), "an answer") == "v1: x"
            shop.route("ledger", tcp=[{"route": [to("ledger", "v2")]}])
            await until(lambda: says(port, "x", "v2: x"), "v2 answers")

            async def greeted() -> bytes:
                reader, writer = await asyncio.open_connection(ADDRESS, shop.ports["external"])
                try:
                    return await asyncio.wait_for(reader.readline(), 60)
                finally:
                    writer.close()

            assert await until(greeted, "the server's greeting") == b"hello from external\n"


async def answered_by(call: Caller, *names: str) -> bool:
    """Whether these answer, of a few requests, and no others."""
    return set(await call.names(8 * len(names) - 7 if len(names) == 1 else 12)) == set(names)


async def only(call: Caller, name: str) -> bool:
    return set(await call.names(6)) == {name}


async def status_is(call: Caller, path: str, status: int) -> bool:
    return (await call(path)).status == status


async def says(port: int, text: str, answer: str) -> bool:
    return await tcp_say(ADDRESS, port, text) == answer

"""A real Envoy on the xDS server: it takes what is pushed, follows changes, and is told nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from lateen.testing.fake_mesh import FakeMesh
from lateen.testing.free_port import free_port
from lateen.testing.running_envoy import RunningEnvoy, ads_bootstrap
from lateen.translate.resource import ResourceType
from lateen.xds.inventory import Inventory
from lateen.xds.push import PushLoop
from lateen.xds.rejection import Rejection
from lateen.xds.server import Listener, XdsServer

NODE = "sidecar~10.0.0.1~web.default~default.svc.cluster.local"
CDS, EDS, LDS, RDS = ResourceType.CDS, ResourceType.EDS, ResourceType.LDS, ResourceType.RDS


def cluster(name: str, timeout: int = 1) -> Any:
    found = cluster_pb2.Cluster(name=name, type=cluster_pb2.Cluster.EDS)
    found.connect_timeout.seconds = timeout
    found.eds_cluster_config.eds_config.ads.SetInParent()
    found.eds_cluster_config.eds_config.resource_api_version = 2
    return found


def assignment(name: str, *ports: int) -> Any:
    found = endpoint_pb2.ClusterLoadAssignment(cluster_name=name)
    for port in ports:
        address = found.endpoints.add().lb_endpoints.add().endpoint.address.socket_address
        address.address, address.port_value = "127.0.0.1", port
    return found


def listener(name: str, route: str) -> Any:
    found = listener_pb2.Listener(name=name)
    found.address.socket_address.address = "127.0.0.1"
    found.address.socket_address.port_value = 0
    manager = hcm_pb2.HttpConnectionManager(stat_prefix="test")
    manager.rds.route_config_name = route
    manager.rds.config_source.ads.SetInParent()
    manager.rds.config_source.resource_api_version = 2
    manager.http_filters.add(name="envoy.filters.http.router").typed_config.Pack(router_pb2.Router())
    filter = found.filter_chains.add().filters.add(name="envoy.filters.network.http_connection_manager")
    filter.typed_config.Pack(manager)
    return found


def route(name: str, target: str) -> Any:
    found = route_pb2.RouteConfiguration(name=name)
    host = found.virtual_hosts.add(name="all", domains=["*"])
    entry = host.routes.add()
    entry.match.prefix = "/"
    entry.route.cluster = target
    return found


class Here:
    def __init__(self, mesh: FakeMesh, server: XdsServer, port: int, rejections: list[Rejection]) -> None:
        self.mesh = mesh
        self.server = server
        self.port = port
        self.rejections = rejections

    @contextlib.contextmanager
    def change(self) -> Any:
        with self.mesh.together():
            yield
        self.server.push.changed()

    def has_settled(self) -> bool:
        """Everything that was sent has been acknowledged."""
        return all(
            not conversation.outstanding
            for connection in self.server.connections()
            for conversation in connection.session.conversations()
        )


@contextlib.asynccontextmanager
async def serving(mesh: FakeMesh, port: int = 0) -> AsyncIterator[Here]:
    rejections: list[Rejection] = []
    push = PushLoop(Inventory(mesh.engine, mesh.catalog))
    server = XdsServer(push, rejected=rejections.append)
    (port,) = await server.start(Listener(f"127.0.0.1:{port}"))
    task = asyncio.create_task(push.run())
    try:
        yield Here(mesh, server, port, rejections)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()


def envoy(port: int, delta: bool) -> RunningEnvoy:
    return RunningEnvoy(ads_bootstrap(NODE, port, delta=delta))


async def until(envoy: RunningEnvoy, condition: Callable[[], Any], what: str) -> Any:
    return await asyncio.to_thread(envoy.until, condition, what)


def small_mesh() -> FakeMesh:
    mesh = FakeMesh()
    mesh.set_views("web.default", "out", "in")
    mesh.put(CDS, "out", "a", cluster("a"))
    mesh.put(EDS, "out", "a", assignment("a", 1001))
    mesh.put(LDS, "out", "l", listener("l", "r"))
    mesh.put(RDS, "out", "r", route("r", "a"))
    mesh.put(CDS, "in", "inbound", cluster("inbound"))
    mesh.put(EDS, "in", "inbound", assignment("inbound", 1009))
    return mesh


def target(envoy: RunningEnvoy) -> str:
    """The cluster that the route leads to."""
    found: str = envoy.routes()["r"]["virtual_hosts"][0]["routes"][0]["route"]["cluster"]
    return found


def updates(envoy: RunningEnvoy) -> dict[str, int]:
    """How often each kind of configuration was taken from the control plane."""
    found = envoy.stats(r"(cluster_manager.cds|listener_manager.lds|\.rds\..*|cluster\..*)\.update_success")
    return {name: count for name, count in found.items() if count}


@pytest.mark.parametrize("delta", [True, False], ids=["delta", "sotw"])
async def test_envoy_takes_all_types_and_follows_changes(delta: bool) -> None:
    async with serving(small_mesh()) as here, envoy(here.port, delta) as proxy:
        await until(proxy, lambda: "r" in proxy.routes(), "routes have come")
        assert set(proxy.clusters()) == {"a", "inbound"}
        assert proxy.endpoints("a") == {"127.0.0.1:1001"}
        with here.change():
            here.mesh.put(EDS, "out", "a", assignment("a", 1001, 1002))
        await until(proxy, lambda: len(proxy.endpoints("a")) == 2, "an endpoint is added")
        with here.change():
            here.mesh.put(CDS, "out", "b", cluster("b"))
            here.mesh.put(EDS, "out", "b", assignment("b", 1003))
            here.mesh.put(RDS, "out", "r", route("r", "b"))
            here.mesh.remove(CDS, "out", "a")
            here.mesh.remove(EDS, "out", "a")
        await until(proxy, lambda: set(proxy.clusters()) == {"b", "inbound"}, "the old cluster is gone")
        assert target(proxy) == "b"
        assert proxy.endpoints("b") == {"127.0.0.1:1003"}
        await until(proxy, here.has_settled, "all is acknowledged")
        assert not here.rejections


@pytest.mark.parametrize("delta", [True, False], ids=["delta", "sotw"])
async def test_a_changed_cluster_whose_endpoints_have_not_changed_becomes_active(delta: bool) -> None:
    async with serving(small_mesh()) as here, envoy(here.port, delta) as proxy:
        await until(proxy, lambda: "r" in proxy.routes(), "routes have come")
        with here.change():
            here.mesh.put(CDS, "out", "a", cluster("a", timeout=7))
        await until(proxy, lambda: proxy.clusters()["a"]["connect_timeout"] == "7s", "the cluster is warm")
        assert proxy.endpoints("a") == {"127.0.0.1:1001"}
        await until(proxy, here.has_settled, "all is acknowledged")


async def test_after_a_restart_of_the_server_nothing_is_sent_that_envoy_has() -> None:
    mesh = small_mesh()
    port = free_port()
    async with serving(mesh, port) as here:
        running = RunningEnvoy(ads_bootstrap(NODE, port))
        await asyncio.to_thread(running.start)
        try:
            await until(running, lambda: "r" in running.routes() and here.has_settled(), "all has come")
            had = updates(running)
        except BaseException:
            await asyncio.to_thread(running.stop)
            raise
    try:
        fresh = FakeMesh()
        fresh.set_views("web.default", "out", "in")
        for (type_, view), members in mesh.members.items():
            for name, variant in members.items():
                fresh.put(type_, view, name, mesh.bodies[type_, name, variant], variant)
        fresh.put(EDS, "out", "a", assignment("a", 1001, 1002))
        async with serving(fresh, port) as here:
            await until(running, lambda: len(running.endpoints("a")) == 2, "what changed meanwhile has come")
            await until(running, here.has_settled, "all is acknowledged")
            sent = {
                conversation.type: conversation.sent.names
                for connection in here.server.connections()
                for conversation in connection.session.conversations()
                if conversation.sent is not None
            }
            assert sent == {CDS: set(), EDS: {"a"}, LDS: set(), RDS: set()}
            assert running.stats("cluster_manager.cluster_(added|modified|removed)") == {
                "cluster_manager.cluster_added": 3,
                "cluster_manager.cluster_modified": 0,
                "cluster_manager.cluster_removed": 0,
            }
            assert {name: count for name, count in updates(running).items() if name.startswith("http.")} == {
                name: count for name, count in had.items() if name.startswith("http.")
            }
    finally:
        await asyncio.to_thread(running.stop)


def of_a_kind_envoy_cannot_load(name: str) -> Any:
    """Well-formed; refused by itself, with its name."""
    found = cluster(name)
    found.lb_policy = cluster_pb2.Cluster.CLUSTER_PROVIDED
    return found


def malformed(name: str) -> Any:
    """Refused before anything in its response is looked at, without its name."""
    found = cluster(name)
    found.connect_timeout.seconds = -1
    return found


@pytest.mark.parametrize("bad", [of_a_kind_envoy_cannot_load, malformed])
async def test_what_envoy_rejects_is_reported_in_its_words_and_the_rest_goes_on(bad: Callable[[str], Any]) -> None:
    async with serving(small_mesh()) as here, envoy(here.port, True) as proxy:
        await until(proxy, lambda: "r" in proxy.routes(), "routes have come")
        with here.change():
            here.mesh.put(CDS, "out", "bad", bad("bad"))
            for name in "cdefg":
                here.mesh.put(CDS, "out", name, cluster(name))
                here.mesh.put(EDS, "out", name, assignment(name, 1004))
            here.mesh.put(RDS, "out", "r", route("r", "c"))
        await until(proxy, lambda: target(proxy) == "c", "the route has come")
        assert set(proxy.clusters()) == {"a", "inbound", *"cdefg"}
        await until(proxy, lambda: here.rejections, "the server has read what is rejected")
        (rejection,) = here.rejections
        assert (rejection.type, rejection.names) == (CDS, ("bad",))
        assert ("fakebodies", ("CDS", "bad", "")) in rejection.origins
        with here.change():
            here.mesh.remove(CDS, "out", "bad")
            here.mesh.put(EDS, "out", "c", assignment("c", 1004, 1005))
        await until(proxy, lambda: len(proxy.endpoints("c")) == 2, "changes go on")
        assert len(here.rejections) == 1


async def test_what_comes_and_goes_beside_something_malformed() -> None:
    """Envoy looks at nothing in the response that has all of it, and prints what it cannot read, with its name."""
    mesh = small_mesh()
    mesh.put(LDS, "out", "old", listener("old", "r"))
    async with serving(mesh) as here, envoy(here.port, True) as proxy:
        await until(proxy, lambda: {"l", "old"} <= proxy.addresses().keys(), "both listeners listen")
        bad = listener("bad", "r")
        bad.address.socket_address.address = ""
        with here.change():
            here.mesh.put(LDS, "out", "bad", bad)
            here.mesh.put(LDS, "out", "new", listener("new", "r"))
            here.mesh.remove(LDS, "out", "old")
        await until(proxy, lambda: proxy.addresses().keys() == {"l", "new"}, "the one is there, the other gone")
        # It is found by parts: the one that is right may be there first.
        await until(proxy, lambda: here.rejections, "the server knows which")
        assert [(rejection.type, rejection.names) for rejection in here.rejections] == [(LDS, ("bad",))]

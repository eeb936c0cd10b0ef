"""Which listeners count and log, and that this does not tell workloads of a namespace apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lateen.model.proxy import Proxy, Role
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.translate.envoy_types import decoded, readable
from lateen.translate.resource import ResourceType

SERVICES = """
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.0.0.1, selector: {app: a}, ports: [{name: http, port: 80}, {name: tcp, port: 9000}]}
---
kind: Gateway
metadata: {name: entrance, namespace: shop}
spec:
  selector: {app: ingress}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}
  - {port: {number: 9000, name: tcp, protocol: TCP}, hosts: ["*"]}
---
kind: VirtualService
metadata: {name: entrance, namespace: shop}
spec:
  hosts: ["*"]
  gateways: [entrance]
  http: [{route: [{destination: {host: web, port: {number: 80}}}]}]
  tcp: [{match: [{port: 9000}], route: [{destination: {host: web, port: {number: 9000}}}]}]
"""
HTTP = "envoy.filters.network.http_connection_manager"
TCP = "envoy.filters.network.tcp_proxy"
STATS = "envoy.access_loggers.stats"


def mesh(config: str = "{}") -> Mesh:
    found = Mesh(SERVICES, endpoint_slice("web", "shop", ports={"http": 80, "tcp": 9000}, addresses=("10.1.0.1",)))
    found.mesh_config(config)
    return found


def sidecar(mesh: Mesh, app: str = "a") -> Proxy:
    return mesh.proxy(f"{app}.shop", labels={"app": app, "version": app})


def gateway(mesh: Mesh) -> Proxy:
    return mesh.proxy("ingress.shop", labels={"app": "ingress"}, role=Role.ROUTER)


def listeners(mesh: Mesh, proxy: Proxy) -> dict[str, dict[str, Any]]:
    made = mesh.resources(ResourceType.LDS, proxy)
    return {name: readable(decoded(ResourceType.LDS, each)) for name, each in made.items()}


def terminals(listener: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of each chain: its name, and the filter that ends it."""
    default = [listener["default_filter_chain"]] if "default_filter_chain" in listener else []
    for chain in listener.get("filter_chains", []) + default:
        yield chain.get("name", ""), chain["filters"][-1]


def loggers(filter: dict[str, Any]) -> list[str]:
    return [each["name"] for each in filter["typed_config"].get("access_log", ())]


@pytest.mark.parametrize("who", [sidecar, gateway])
@pytest.mark.parametrize(
    ("config", "http", "tcp", "listener"),
    [
        ("{}", [STATS], [STATS, STATS], []),
        ("defaultProviders: {metrics: []}", [], [], []),
        ("defaultProviders: {metrics: [stackdriver]}", [], [], []),
        (
            "accessLogFile: /dev/stdout",
            [STATS, "envoy.access_loggers.stdout"],
            [STATS, STATS, "envoy.access_loggers.stdout"],
            ["envoy.access_loggers.stdout"],
        ),
        (
            "{accessLogFile: /var/log/a, defaultProviders: {metrics: []}, disableEnvoyListenerLog: true}",
            ["envoy.access_loggers.file"],
            ["envoy.access_loggers.file"],
            [],
        ),
    ],
)
def test_every_chain_that_carries_traffic_logs(
    who: Any, config: str, http: list[str], tcp: list[str], listener: list[str]
) -> None:
    world = mesh(config)
    seen = set()
    for name, each in listeners(world, who(world)).items():
        assert [log["name"] for log in each.get("access_log", ())] == listener, name
        for chain, terminal in terminals(each):
            if chain.endswith("-blackhole"):
                assert loggers(terminal) == []
                continue
            seen.add(terminal["name"])
            assert loggers(terminal) == {HTTP: http, TCP: tcp}[terminal["name"]], (name, chain)
    assert seen == {HTTP, TCP}


def test_workloads_of_a_namespace_share_listeners() -> None:
    world = mesh()
    one, other = (world.recipes(ResourceType.LDS, sidecar(world, app)) for app in ("a", "b"))
    outbound = one.keys() - {"virtualInbound"}
    assert len(outbound) > 2
    assert all(one[name] == other[name] for name in outbound)


def test_clients_of_gateways_do_not_choose_labels() -> None:
    world = mesh()
    assert ":authority" in str(listeners(world, sidecar(world)))
    assert ":authority" not in str(listeners(world, gateway(world)))


def test_facts_about_clients_are_there_where_certificates_are_taken() -> None:
    world = mesh()
    for listener in listeners(world, sidecar(world)).values():
        for chain in listener.get("filter_chains", []):
            names = [each["name"] for each in chain["filters"]]
            taken = "envoy.filters.network.set_filter_state" in names
            assert taken == ("transport_socket" in chain), chain.get("name")

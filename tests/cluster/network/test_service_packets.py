"""The service proxy's rules judged by packets: who answers, and which source address it sees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lateen.cluster import network
from lateen.cluster.layout import Layout
from lateen.cluster.network.commands import ip_batch, nft, run
from lateen.cluster.node.network.connection_tracking import stale_flows
from lateen.cluster.node.network.pod_network import PodNetwork, Sandbox
from lateen.cluster.node.network.service_proxy import node_facts
from lateen.cluster.node.network.service_rules import render_service
from lateen.cluster.node.network.service_table import ServiceTable
from lateen.cluster.objects import Key

from .conftest import Machines, node_namespace, pod

pytestmark = pytest.mark.cluster


class World:
    """Two nodes: pods `a` and `c` on the first, `b` on the second; both nodes' rules follow `put`."""

    def __init__(self, layout: Layout, machines: Machines, pods: dict[str, Sandbox]) -> None:
        self.layout, self.machines, self.pods = layout, machines, pods
        self.where = {"a": 1, "b": 2, "c": 1}
        self.ips = (str(layout.services_ipv4[100]), str(layout.services_ipv6[100]))
        self.tables = {
            number: [
                ServiceTable(facts, str(service_range))
                for facts, service_range in zip(
                    node_facts(layout, layout.node(number)), (layout.services_ipv4, layout.services_ipv6), strict=True
                )
            ]
            for number in (1, 2)
        }
        for number, tables in self.tables.items():
            nft("".join(table.whole() for table in tables), namespace=node_namespace(layout, number))

    def put(self, endpoints: str, *, terminating: str = "", status: dict[str, Any] | None = None, **spec: Any) -> None:
        """A Service of TCP and UDP port 80 whose endpoints are the pods named by the letters of `endpoints`."""
        ports = [{"name": p.lower(), "protocol": p, "port": 80} for p in ("TCP", "UDP")]
        if "nodePort" in spec:
            ports[0]["nodePort"] = spec.pop("nodePort")
        service = {
            "metadata": {"namespace": "default", "name": "web"},
            "spec": {"clusterIP": self.ips[0], "clusterIPs": list(self.ips), "ports": ports, **spec},
            "status": status or {},
        }
        slices = [
            {
                "addressType": family,
                "ports": [{"name": p.lower(), "protocol": p, "port": 8080} for p in ("TCP", "UDP")],
                "endpoints": [
                    {
                        "addresses": [self.pods[name].ips[index]],
                        "nodeName": self.layout.node(self.where[name]).name,
                        "conditions": {"ready": name not in terminating, "terminating": name in terminating},
                    }
                    for name in endpoints + terminating
                ],
            }
            for index, family in enumerate(("IPv4", "IPv6"))
        ]
        for number, tables in self.tables.items():
            facts = node_facts(self.layout, self.layout.node(number))
            for table, fact in zip(tables, facts, strict=True):
                table.put(Key("default", "web"), render_service(service, slices, fact))
            script = "".join(table.changes() for table in tables)
            nft(script, namespace=node_namespace(self.layout, number))

    def ask(self, source: str, address: str, port: int = 80, **options: Any) -> tuple[str, str]:
        """`source`: a pod's letter, `node1`, or `host`."""
        namespace: Path | None = None
        if source in self.pods:
            namespace = self.pods[source].netns_path
        elif source != "host":
            namespace = node_namespace(self.layout, int(source[-1]))
        return self.machines.ask(namespace, address, port, **options)

    def answers(self, source: str, address: str, port: int = 80, times: int = 48) -> set[str]:
        return {self.ask(source, address, port)[0] for _ in range(times)}

    def refused(self, source: str, address: str, port: int = 80) -> bool:
        try:
            self.ask(source, address, port)
        except ConnectionRefusedError:
            return True
        return False

    def silent(self, source: str, address: str, port: int = 80) -> bool:
        try:
            self.ask(source, address, port, timeout=0.3)
        except TimeoutError:
            return True
        return False


@pytest.fixture
async def world(make_layout: Callable[[], Layout], machines: Machines) -> World:
    layout = make_layout()
    network.create_fabric(layout, 2)
    nodes = {n: PodNetwork(layout, n, namespace=node_namespace(layout, n)) for n in (1, 2)}
    pods = {name: await nodes[n].add(pod(name), f"sandbox-{name}") for name, n in (("a", 1), ("b", 2), ("c", 1))}
    for name, sandbox in pods.items():
        machines.serve(sandbox.netns_path, 8080, name)
    return World(layout, machines, pods)


@pytest.mark.parametrize("family", [0, 1])
def test_cluster_ip(world: World, family: int) -> None:
    address = world.ips[family]
    world.put("ab")
    for source in ("c", "b", "node1", "node2", "host"):
        assert world.answers(source, address) == {"a", "b"}
    assert world.ask("c", address)[1] == world.pods["c"].ips[family]
    # A pod that reaches itself sees its node's address, or it would answer itself past the translation.
    world.put("a")
    assert world.ask("a", address)[0] == "a"
    assert world.refused("c", address, 81)
    world.put("")
    for source in ("c", "node1", "host"):
        assert world.refused(source, address)
    world.put("", terminating="b")
    assert world.answers("c", address, times=3) == {"b"}
    world.put("c", terminating="b")
    assert world.answers("a", address, times=8) == {"c"}


def test_internal_traffic_policy_local(world: World) -> None:
    world.put("ab", internalTrafficPolicy="Local")
    assert world.answers("c", world.ips[0], times=8) == {"a"}
    assert world.answers("b", world.ips[0], times=8) == {"b"}
    world.put("b", internalTrafficPolicy="Local")
    assert world.silent("c", world.ips[0])


@pytest.mark.parametrize("family", [0, 1])
def test_node_port(world: World, family: int) -> None:
    node1, node2 = (str((n.ipv4, n.ipv6)[family]) for n in (world.layout.node(1), world.layout.node(2)))
    host = str((world.layout.host_ipv4, world.layout.host_ipv6)[family])
    world.put("ab", type="NodePort", nodePort=30080)
    assert world.answers("host", node1, 30080) == {"a", "b"}
    assert world.answers("c", node2, 30080) == {"a", "b"}
    assert world.answers("node1", node1, 30080) == {"a", "b"}
    world.put("b", type="NodePort", nodePort=30080, externalTrafficPolicy="Local")
    assert world.ask("host", node2, 30080) == ("b", host)
    assert world.silent("host", node1, 30080)
    assert world.ask("c", node1, 30080)[0] == "b"
    assert world.ask("node1", node1, 30080)[0] == "b"
    world.put("", type="NodePort", nodePort=30080)
    assert world.refused("host", node1, 30080)


@pytest.mark.parametrize("family", [0, 1])
def test_load_balancer_and_external_ips(world: World, family: int) -> None:
    layout = world.layout
    balancer = str((layout.load_balancers_ipv4, layout.load_balancers_ipv6)[family][7])
    external = str((layout.load_balancers_ipv4, layout.load_balancers_ipv6)[family][8])
    node1 = (layout.node(1).ipv4, layout.node(1).ipv6)[family]
    host = (layout.host_ipv4, layout.host_ipv6)[family]
    ip_batch([f"route replace {address} via {node1} dev {layout.host_interface}" for address in (balancer, external)])
    status = {"loadBalancer": {"ingress": [{"ip": balancer, "ipMode": "VIP"}]}}
    world.put("ab", type="LoadBalancer", status=status, externalIPs=[external])
    for address in (balancer, external):
        assert world.answers("host", address) == {"a", "b"}
        assert world.answers("c", address) == {"a", "b"}
    world.put("ab", type="LoadBalancer", status=status, externalTrafficPolicy="Local")
    assert world.ask("host", balancer) == ("a", str(host))
    world.put("a", type="LoadBalancer", status=status, loadBalancerSourceRanges=["198.51.100.0/24", "2001:db8::/32"])
    assert world.silent("host", balancer)


def test_session_affinity(world: World) -> None:
    affinity = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 1}}}
    world.put("abc", **affinity)
    first = world.answers("b", world.ips[0], times=8)
    assert len(first) == 1
    world.put("abc".replace(*first, ""), **affinity)
    assert len(world.answers("b", world.ips[0], times=8) & (set("abc") - first)) == 1
    world.put("abc")
    assert len(world.answers("b", world.ips[0], times=80)) == 3


def test_udp_flows_follow_the_endpoints(world: World) -> None:
    client = world.machines.udp_client(world.pods["c"].netns_path, world.ips[0])
    world.put("a")
    old = world.tables[1][0].fragment(Key("default", "web")).udp
    assert world.machines.ask_udp(client, world.ips[0], 80)[0] == "a"
    world.put("b")
    new = world.tables[1][0].fragment(Key("default", "web")).udp
    for arguments in stale_flows(old, new):
        enter = ["nsenter", f"--net={node_namespace(world.layout, 1)}"]
        run([*enter, "conntrack", "-D", *arguments])
    assert world.machines.ask_udp(client, world.ips[0], 80)[0] == "b"
    assert world.machines.ask_udp(client, world.ips[0], 80)[0] == "b"


def test_a_change_touches_only_what_changed_and_removal_leaves_the_empty_table(world: World) -> None:
    empty = run(["nsenter", f"--net={node_namespace(world.layout, 1)}", "nft", "list", "ruleset"])
    world.put("ab", type="NodePort", nodePort=30080, sessionAffinity="ClientIP", externalTrafficPolicy="Local")
    world.put("b", type="NodePort", nodePort=30081)
    for tables in world.tables.values():
        for table in tables:
            table.put(Key("default", "web"), render_service({}, [], node_facts(world.layout, world.layout.node(1))[0]))
    nft("".join(t.changes() for t in world.tables[1]), namespace=node_namespace(world.layout, 1))
    assert run(["nsenter", f"--net={node_namespace(world.layout, 1)}", "nft", "list", "ruleset"]) == empty

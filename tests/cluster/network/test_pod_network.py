"""Pods' networks on a real kernel: addresses, reachability, CNI plugins, host ports."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lateen.cluster import network
from lateen.cluster.layout import Layout
from lateen.cluster.network.namespace import is_namespace, run_in_namespace
from lateen.cluster.node.network.pod_network import PodNetwork, PodNetworkError

from .conftest import Machines, node_namespace, pod

pytestmark = pytest.mark.cluster


def network_of(layout: Layout, number: int) -> PodNetwork:
    return PodNetwork(layout, number, namespace=node_namespace(layout, number))


async def test_pods_reach_pods_on_other_nodes_clusters_and_from_the_host(
    make_layout: Callable[[], Layout], machines: Machines
) -> None:
    layout, other = make_layout(), make_layout()
    network.create_fabric(layout, 2)
    network.create_fabric(other, 1)
    network.peer(layout, other)
    a = await network_of(layout, 1).add(pod("a"), "sandbox-a")
    b = await network_of(layout, 2).add(pod("b"), "sandbox-b")
    c = await network_of(other, 1).add(pod("c"), "sandbox-c")
    machines.serve(b.netns_path, 80, "b")
    machines.serve(c.netns_path, 80, "c")
    for version, host in enumerate((str(layout.host_ipv4), str(layout.host_ipv6))):
        assert machines.ask(a.netns_path, b.ips[version], 80) == ("b", a.ips[version])
        assert machines.ask(a.netns_path, c.ips[version], 80) == ("c", a.ips[version])
        assert machines.ask(b.netns_path, b.ips[version], 80) == ("b", b.ips[version])
        assert machines.ask(None, b.ips[version], 80) == ("b", host)
        node = layout.node(2)
        seen = machines.ask(node_namespace(layout, 2), b.ips[version], 80)
        assert seen == ("b", str((node.ipv4, node.ipv6)[version]))


async def test_namespace_is_as_a_container_runtime_makes_it(make_layout: Callable[[], Layout]) -> None:
    layout = make_layout()
    network.create_fabric(layout, 1)
    sandbox = await network_of(layout, 1).add(pod("a"), "sandbox-a")

    def read() -> tuple[str, str]:
        root = Path("/proc/sys/net/ipv4")
        return (root / "ip_unprivileged_port_start").read_text(), (root / "ping_group_range").read_text()

    assert run_in_namespace(sandbox.netns_path, read) == ("0\n", "0\t2147483647\n")


async def test_addresses_survive_the_node_process_and_are_freed(make_layout: Callable[[], Layout]) -> None:
    layout = make_layout()
    network.create_fabric(layout, 1)
    a = await network_of(layout, 1).add(pod("a"), "sandbox-a")
    restarted = network_of(layout, 1)
    assert await restarted.check(pod("a"), "sandbox-a") == a
    b = await restarted.add(pod("b"), "sandbox-b")
    assert not set(a.ips) & set(b.ips)
    assert restarted.known() == {"sandbox-a", "sandbox-b"}
    for _ in range(2):
        await restarted.remove(pod("a"), "sandbox-a")
    assert not is_namespace(a.netns_path)
    assert await restarted.check(pod("a"), "sandbox-a") is None
    assert restarted.known() == {"sandbox-b"}


PLUGIN = """#!/bin/sh
config=$(cat)
echo "$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $CNI_NETNS $CNI_ARGS" >> {log}
echo "$config" > {log}.$CNI_COMMAND
if [ "$CNI_COMMAND" = ADD ]; then
  echo "$config" | sed 's/.*"prevResult": *//; s/}}$//'
fi
"""

FAILING = """#!/bin/sh
cat > /dev/null
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{"cniVersion": "1.0.0", "code": 11, "msg": "try again later", "details": "the agent is not up"}'
exit 1
"""


def install(layout: Layout, name: str, text: str) -> None:
    binary = layout.node_root(1) / "cni" / "bin" / name
    binary.write_text(text)
    binary.chmod(0o755)
    path = layout.node_root(1) / "cni" / "net.d" / "10-lateen.conflist"
    config = json.loads(path.read_text())
    config["plugins"].append({"type": name, "capabilities": {"portMappings": True}, "extra": 1})
    path.write_text(json.dumps(config))


async def test_plugins_chained_after_the_node_s_own_network(make_layout: Callable[[], Layout], tmp_path: Path) -> None:
    layout = make_layout()
    network.create_fabric(layout, 1)
    pods = network_of(layout, 1)
    log = tmp_path / "calls"
    install(layout, "mesh-cni", PLUGIN.format(log=log))
    port = {"containerPort": 80, "hostPort": 8080}
    manifest = pod("a", containers=[{"name": "a", "ports": [port]}])
    sandbox = await pods.add(manifest, "sandbox-a")
    await pods.check(manifest, "sandbox-a")
    await pods.remove(manifest, "sandbox-a")
    calls = log.read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["ADD", "CHECK", "DEL"]
    arguments = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=a;K8S_POD_INFRA_CONTAINER_ID=sandbox-a"
    assert calls[0] == f"ADD sandbox-a eth0 {sandbox.netns_path} {arguments};K8S_POD_UID=uid-a"
    config = json.loads(Path(f"{log}.ADD").read_text())
    assert config["name"] == "lateen"
    assert config["extra"] == 1
    assert [ip["address"].split("/")[0] for ip in config["prevResult"]["ips"]] == list(sandbox.ips)
    mapping = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp", "hostIP": ""}
    assert config["runtimeConfig"] == {"portMappings": [mapping]}
    assert json.loads(Path(f"{log}.DEL").read_text())["prevResult"]["ips"] == config["prevResult"]["ips"]


async def test_a_failing_plugin_fails_the_pod_with_its_words_and_leaves_nothing(
    make_layout: Callable[[], Layout],
) -> None:
    layout = make_layout()
    network.create_fabric(layout, 1)
    pods = network_of(layout, 1)
    install(layout, "broken", FAILING)
    with pytest.raises(PodNetworkError) as caught:
        await pods.add(pod("a"), "sandbox-a")
    assert str(caught.value) == (
        'failed to setup network for sandbox "sandbox-a": plugin type="broken" name="lateen" failed (add): '
        "try again later; the agent is not up"
    )
    assert pods.known() == set()
    assert not list(Path("/run/lateen", layout.name, "netns").iterdir())


async def test_host_ports(make_layout: Callable[[], Layout], machines: Machines) -> None:
    layout = make_layout()
    network.create_fabric(layout, 1)
    pods = network_of(layout, 1)
    port = {"containerPort": 80, "hostPort": 8080}
    manifest = pod("a", containers=[{"name": "a", "ports": [port]}])
    a = await pods.add(manifest, "sandbox-a")
    machines.serve(a.netns_path, 80, "a")
    node = layout.node(1)
    for address, host in ((str(node.ipv4), str(layout.host_ipv4)), (str(node.ipv6), str(layout.host_ipv6))):
        assert machines.ask(None, address, 8080) == ("a", host)
        assert machines.ask(node_namespace(layout, 1), address, 8080)[0] == "a"
        assert machines.ask(a.netns_path, address, 8080)[0] == "a"
    await pods.remove(manifest, "sandbox-a")
    with pytest.raises(OSError):
        machines.ask(None, str(node.ipv4), 8080)

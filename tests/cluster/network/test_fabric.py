"""Fabrics on a real kernel: reachability, idempotence, and that nothing is left."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lateen.cluster import network
from lateen.cluster.layout import Layout
from lateen.cluster.network import egress
from lateen.cluster.network.commands import ip_batch
from lateen.cluster.network.namespace import interfaces, is_namespace, run_in_namespace

from .conftest import Machines, node_namespace

pytestmark = pytest.mark.cluster


def traces(layout: Layout) -> str:
    """Every line about the cluster in what the machine has of namespaces, interfaces, routes and rules."""
    commands = (["ip", "netns"], ["ip", "link"], ["ip", "route"], ["ip", "-6", "route"], ["nft", "list", "ruleset"])
    lines = "".join(subprocess.run(c, capture_output=True, text=True, check=True).stdout for c in commands).splitlines()
    return "\n".join(line for line in lines if f"lateen-{layout.name}" in line or layout.host_interface in line)


def test_nodes_the_host_and_peers_reach_each_other(make_layout: Callable[[], Layout], machines: Machines) -> None:
    one, other = make_layout(), make_layout()
    network.create_fabric(one, 2)
    network.create_fabric(other, 1)
    network.peer(one, other)
    network.peer(other, one)
    far = other.node(1)
    machines.serve(node_namespace(other, 1), 9000, "far")
    machines.serve(node_namespace(one, 1), 9000, "near")
    for near_address, far_address, node, host in (
        (str(one.node(1).ipv4), str(far.ipv4), str(one.node(2).ipv4), str(one.host_ipv4)),
        (str(one.node(1).ipv6), str(far.ipv6), str(one.node(2).ipv6), str(one.host_ipv6)),
    ):
        assert machines.ask(node_namespace(one, 2), near_address, 9000) == ("near", node)
        assert machines.ask(node_namespace(one, 2), far_address, 9000) == ("far", node)
        assert machines.ask(None, near_address, 9000) == ("near", host)

    network.unpeer(one, other)
    network.unpeer(one, other)
    with pytest.raises(OSError):
        machines.ask(node_namespace(one, 2), str(far.ipv4), 9000)


def test_creation_twice_and_after_partial_loss_is_whole(make_layout: Callable[[], Layout], machines: Machines) -> None:
    layout = make_layout()
    network.create_fabric(layout, 1)
    network.create_fabric(layout, 2)
    ip_batch([f"link del {layout.host_interface}"])
    network.create_fabric(layout, 2)
    machines.serve(node_namespace(layout, 2), 9000, "node")
    assert machines.ask(None, str(layout.node(2).ipv4), 9000)[0] == "node"
    assert machines.ask(None, str(layout.node(2).ipv6), 9000)[0] == "node"


def test_nodes_come_and_go(make_layout: Callable[[], Layout]) -> None:
    layout = make_layout()
    network.create_fabric(layout, 1)
    network.add_node(layout, 2)
    assert str(layout.node(2).pods_ipv4) in subprocess.run(["ip", "route"], capture_output=True, text=True).stdout
    network.remove_node(layout, 2)
    assert not is_namespace(node_namespace(layout, 2))
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True).stdout
    assert str(layout.node(2).pods_ipv4) not in routes
    assert str(layout.node(1).pods_ipv4) in routes


def test_deletion_leaves_nothing_even_when_something_holds_a_namespace(make_layout: Callable[[], Layout]) -> None:
    layout = make_layout()
    network.create_fabric(layout, 2)
    assert network.fabric_exists(layout)
    assert network.range_conflicts(layout)
    process = run_in_namespace(node_namespace(layout, 1), lambda: subprocess.Popen(["sleep", "60"]))
    try:
        network.delete_fabric(layout)
        assert traces(layout) == ""
        assert not network.fabric_exists(layout)
        assert network.range_conflicts(layout) == []
        network.delete_fabric(layout)
    finally:
        process.kill()
        process.wait()


def test_egress_opens_the_uplink_and_restores_it(
    make_layout: Callable[[], Layout], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uplinks = subprocess.run(["ip", "route", "show", "default"], capture_output=True, text=True).stdout.split()
    if "dev" not in uplinks:
        pytest.skip("this machine has no default route")
    forwarding = Path("/proc/sys/net/ipv4/conf") / uplinks[uplinks.index("dev") + 1] / "forwarding"
    before = forwarding.read_text()
    whole_machine = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    one, other = make_layout(), make_layout()
    for layout in (one, other):
        network.create_fabric(layout, 1)
        network.enable_egress(layout)
    assert forwarding.read_text().strip() == "1"
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == whole_machine
    network.delete_fabric(one)
    assert forwarding.read_text().strip() == "1"
    network.delete_fabric(other)
    assert forwarding.read_text() == before or egress.STATE.exists()
    assert traces(one) == traces(other) == ""


def test_the_host_s_link_of_another_cluster_with_the_same_ranges_is_left_alone(
    make_layout: Callable[[], Layout], tmp_path: Path
) -> None:
    layout = make_layout()
    network.create_fabric(layout, 1)
    network.delete_fabric(Layout(f"{layout.name}x", layout.index, tmp_path))
    assert layout.host_interface in interfaces()

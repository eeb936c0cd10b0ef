"""The fabric of a cluster: a namespace with a bridge on which the host and every node hang with one veth each.

    host  lateenI ------ host  +---------------+  nodeK ------ eth0  node K's namespace
                               | bridge fabric |
                               +---------------+

Nodes reach each other's pods through the node that has them; everything else goes to the fabric's router, which
knows the pods of all nodes, peer clusters, and (with egress) the host as the way out. The host routes pods to their
node and the service range to all nodes. Nothing outside of our namespaces changes but routes over `lateenI`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from lateen.cluster.layout import MAX_NODES, Layout
from lateen.cluster.network.commands import ip_batch, run
from lateen.cluster.network.egress import disable_egress
from lateen.cluster.network.namespace import (
    NAMED,
    create_namespace,
    delete_namespace,
    interfaces,
    is_namespace,
    unshare_directory,
    write_sysctls,
)

BRIDGE = "fabric"

ROUTER_SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/default/disable_ipv6": "0",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv6/conf/default/forwarding": "1",
    "net/ipv6/conf/all/accept_dad": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    # A new namespace takes its IPv4 settings from the machine, whose choice for its own links is not ours.
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/conf/all/accept_redirects": "0",
    "net/ipv4/conf/default/accept_redirects": "0",
    "net/ipv6/conf/default/accept_redirects": "0",
}
"""Kernel parameters of the namespaces that forward packets."""


def fabric_path(layout: Layout) -> Path:
    return NAMED / layout.fabric_netns


def node_path(layout: Layout, number: int) -> Path:
    return NAMED / layout.node(number).netns


def fabric_exists(layout: Layout) -> bool:
    """Whether the fabric's namespace is there."""
    return is_namespace(fabric_path(layout))


def existing_nodes(layout: Layout) -> list[int]:
    """The numbers of the nodes that have a namespace (or the remains of one)."""
    prefix = f"lateen-{layout.name}-node-"
    numbers = (path.name.removeprefix(prefix) for path in NAMED.glob(f"{prefix}*"))
    return sorted(int(n) for n in numbers if n.isdigit() and 1 <= int(n) <= MAX_NODES)


def create_fabric(layout: Layout, nodes: int) -> None:
    """Makes the fabric and nodes 1..`nodes`, or what of them is missing. Raises CommandError, OSError."""
    fabric = fabric_path(layout)
    if not is_namespace(fabric):
        # Its peer is in a namespace that is being torn down.
        _detach_host(layout)
        create_namespace(fabric, ROUTER_SYSCTLS)
    inside = interfaces(fabric)
    if BRIDGE not in inside:
        ip_batch(
            [
                f"link add {BRIDGE} type bridge forward_delay 0 stp_state 0 mcast_snooping 0",
                f"addr add {layout.router_ipv4}/{layout.fabric_ipv4.prefixlen} dev {BRIDGE}",
                f"addr add {layout.router_ipv6}/{layout.fabric_ipv6.prefixlen} dev {BRIDGE} nodad",
                "link set lo up",
                f"link set {BRIDGE} up",
            ],
            namespace=fabric,
        )
    if layout.host_interface not in interfaces():
        _attach_host(layout, fabric)
    for number in range(1, nodes + 1):
        _ensure_node(layout, number)
    _route_between(layout, range(1, nodes + 1))


def add_node(layout: Layout, number: int) -> None:
    """Makes node `number` on an existing fabric, and everybody's routes to it."""
    _ensure_node(layout, number)
    _route_between(layout, existing_nodes(layout))


def remove_node(layout: Layout, number: int) -> None:
    """Removes a node's namespace, and everybody's routes to it."""
    node = layout.node(number)
    _delete_node(layout, number)
    left = existing_nodes(layout)
    withdrawn = [f"route del {node.pods_ipv4} via {node.ipv4}", f"route del {node.pods_ipv6} via {node.ipv6}"]
    for other in left:
        ip_batch(withdrawn, namespace=node_path(layout, other), keep_going=True)
    if fabric_exists(layout):
        ip_batch([*withdrawn, f"link del node{number}"], namespace=fabric_path(layout), keep_going=True)
    if layout.host_interface in interfaces():
        ip_batch(withdrawn, keep_going=True)
        if left:
            _route_between(layout, left)


def delete_fabric(layout: Layout) -> None:
    """Removes every namespace, interface, route and rule of the cluster, whatever state it is in."""
    disable_egress(layout)
    _detach_host(layout)
    for number in existing_nodes(layout):
        _delete_node(layout, number)
    fabric = fabric_path(layout)
    if is_namespace(fabric):
        _delete_links(fabric)
    delete_namespace(fabric)
    pods = Path("/run/lateen") / layout.name / "netns"
    if pods.is_dir():
        unshare_directory(pods)
        for path in pods.iterdir():
            delete_namespace(path)
    for directory in (pods, pods.parent, pods.parent.parent):
        with contextlib.suppress(OSError):
            directory.rmdir()


def _attach_host(layout: Layout, fabric: Path) -> None:
    name = layout.host_interface
    ip_batch([f"link add {name} type veth peer name host netns {fabric}"])
    # Only this interface's own settings: the machine's may be stricter than a routed pod network needs.
    write_sysctls(
        {
            f"net/ipv6/conf/{name}/disable_ipv6": "0",
            f"net/ipv6/conf/{name}/accept_ra": "0",
            f"net/ipv4/conf/{name}/rp_filter": "2",
            f"net/ipv4/conf/{name}/accept_redirects": "0",
        }
    )
    ip_batch([f"link set host master {BRIDGE} up"], namespace=fabric)
    ip_batch(
        [
            f"addr add {layout.host_ipv4}/{layout.fabric_ipv4.prefixlen} dev {name}",
            f"addr add {layout.host_ipv6}/{layout.fabric_ipv6.prefixlen} dev {name} nodad",
            f"link set {name} alias {layout.fabric_netns} up",
        ]
    )


def _detach_host(layout: Layout) -> None:
    """Deletes the host's interface, unless a cluster of another home has the same ranges now and it is theirs."""
    name = layout.host_interface
    if name in interfaces():
        found = json.loads(run(["ip", "-json", "link", "show", "dev", name], check=False) or "[{}]")
        if found[0].get("ifalias", layout.fabric_netns) == layout.fabric_netns:
            ip_batch([f"link del {name}"], keep_going=True)


def _ensure_node(layout: Layout, number: int) -> None:
    node = layout.node(number)
    fabric, path = fabric_path(layout), node_path(layout, number)
    port = f"node{number}"
    if not is_namespace(path):
        ip_batch([f"link del {port}"], namespace=fabric, keep_going=True)
        create_namespace(path, ROUTER_SYSCTLS)
    if "eth0" in interfaces(path):
        return
    ip_batch(
        [f"link add {port} type veth peer name eth0 netns {path}", f"link set {port} master {BRIDGE} up"],
        namespace=fabric,
    )
    ip_batch(
        [
            "link set lo up",
            f"addr add {node.ipv4}/{layout.fabric_ipv4.prefixlen} dev eth0",
            f"addr add {node.ipv6}/{layout.fabric_ipv6.prefixlen} dev eth0 nodad",
            "link set eth0 up",
            f"route replace default via {layout.router_ipv4} dev eth0",
            f"route replace default via {layout.router_ipv6} dev eth0",
            # Addresses of the node's range that no pod has: an answer at once instead of a loop over the router.
            f"route replace unreachable {node.pods_ipv4}",
            f"route replace unreachable {node.pods_ipv6}",
        ],
        namespace=path,
    )


def _route_between(layout: Layout, numbers: Iterable[int]) -> None:
    nodes = [layout.node(number) for number in numbers]

    def pods(device: str, without: int = 0) -> list[str]:
        return [
            command
            for node in nodes
            if node.number != without
            for command in (
                f"route replace {node.pods_ipv4} via {node.ipv4} dev {device}",
                f"route replace {node.pods_ipv6} via {node.ipv6} dev {device}",
            )
        ]

    for node in nodes:
        ip_batch(pods("eth0", without=node.number), namespace=NAMED / node.netns)
    ip_batch(pods(BRIDGE), namespace=fabric_path(layout))
    ip_batch(pods(layout.host_interface) + service_routes(layout, [node.number for node in nodes]))


def service_routes(layout: Layout, numbers: Iterable[int]) -> list[str]:
    """`ip` commands by which the host spreads connections to the service range over nodes `numbers`."""
    nodes = [layout.node(number) for number in numbers]
    device = layout.host_interface
    return [
        multipath(str(layout.services_ipv4), [str(node.ipv4) for node in nodes], device),
        multipath(str(layout.services_ipv6), [str(node.ipv6) for node in nodes], device),
    ]


def multipath(destination: str, gateways: list[str], device: str) -> str:
    """The `ip` command that routes `destination` over one or several gateways (a flow keeps its gateway)."""
    if len(gateways) == 1:
        return f"route replace {destination} via {gateways[0]} dev {device}"
    hops = " ".join(f"nexthop via {gateway} dev {device}" for gateway in gateways)
    return f"route replace {destination} {hops}"


def _delete_node(layout: Layout, number: int) -> None:
    path = node_path(layout, number)
    if is_namespace(path):
        _delete_links(path)
    delete_namespace(path)


def _delete_links(path: Path) -> None:
    """Deletes the interfaces: a process that still holds the namespace must not keep them alive."""
    ip_batch([f"link del {name}" for name in sorted(interfaces(path) - {"lo"})], namespace=path, keep_going=True)

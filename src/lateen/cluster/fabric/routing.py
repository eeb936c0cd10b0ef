"""Which nodes the host and the peers' router send a load balancer's packets to, and the `ip` commands for it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from lateen.cluster.layout import MAX_NODES, Layout
from lateen.cluster.network.fabric import BRIDGE, multipath
from lateen.cluster.objects import Obj, labels_of, name_of

_EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"


def node_number(layout: Layout, name: str) -> int | None:
    """The number of a node of ours by its name; None for a Node that somebody else made."""
    prefix = f"{layout.name}-node-"
    digits = name.removeprefix(prefix)
    if not name.startswith(prefix) or not digits.isdecimal() or not 1 <= int(digits) <= MAX_NODES:
        return None
    return int(digits)


def is_node_ready(node: Obj) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def serving_nodes(layout: Layout, service: Obj, slices: Iterable[Obj], nodes: Iterable[Obj]) -> list[int]:
    """The numbers of the nodes that answer for the Service, ascending.

    Ready nodes; with externalTrafficPolicy Local those of them that have endpoints. When there is none, all nodes:
    their own rules then refuse or drop, which tells a client more than a missing route.
    """
    known = {name_of(node): node for node in nodes if node_number(layout, name_of(node)) is not None}
    ready = {n for n, node in known.items() if is_node_ready(node) and _EXCLUDED not in labels_of(node)}
    if (service.get("spec") or {}).get("externalTrafficPolicy") == "Local":
        local = _nodes_with_endpoints(slices)
        ready = ready & local or local & known.keys()
    numbers = (node_number(layout, name) for name in ready or known.keys())
    return sorted(number for number in numbers if number is not None)


def _nodes_with_endpoints(slices: Iterable[Obj]) -> set[str]:
    ready: set[str] = set()
    terminating: set[str] = set()
    for slice_ in slices:
        for endpoint in slice_.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            node = str(endpoint.get("nodeName") or "")
            if conditions.get("ready") is not False:
                ready.add(node)
            elif conditions.get("terminating") and conditions.get("serving") is not False:
                terminating.add(node)
    return ready or terminating


def route_commands(layout: Layout, addresses: Iterable[str], numbers: list[int]) -> tuple[list[str], list[str]]:
    """Commands for the host, and for the fabric's router, that lead the addresses to the nodes."""
    nodes = [layout.node(number) for number in numbers]
    host: list[str] = []
    router: list[str] = []
    for address in addresses:
        gateways = [str(node.ipv6 if ":" in address else node.ipv4) for node in nodes]
        if gateways:
            host.append(multipath(_whole(address), gateways, layout.host_interface))
            router.append(multipath(_whole(address), gateways, BRIDGE))
    return host, router


def withdrawal_commands(layout: Layout, addresses: Iterable[str]) -> tuple[list[str], list[str]]:
    """Commands for the host, and for the fabric's router, that forget the addresses."""
    addresses = list(addresses)
    return (
        [f"route del {_whole(address)} dev {layout.host_interface}" for address in addresses],
        [f"route del {_whole(address)} dev {BRIDGE}" for address in addresses],
    )


def _whole(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"

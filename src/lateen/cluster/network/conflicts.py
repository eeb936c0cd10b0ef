"""Whether a cluster's address ranges, and its API server's port, are free on this machine."""

from __future__ import annotations

import ipaddress
import json
import socket
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from lateen.cluster.layout import Layout
from lateen.cluster.network.commands import run
from lateen.cluster.network.resolvers import read_resolvers

RESOLV_CONF = Path("/etc/resolv.conf")


def range_conflicts(layout: Layout) -> list[str]:
    """What on this machine overlaps with the ranges of `layout`, in words; empty when all are free.

    Routes (of any table) and the machine's own name servers count. Default routes do not.
    """
    routes: list[dict[str, Any]] = []
    for family in ("-4", "-6"):
        text = run(["ip", "-json", family, "route", "show", "table", "all"], check=False)
        routes += json.loads(text or "[]")
    return find_conflicts(layout, routes, read_resolvers(RESOLV_CONF))


def port_is_free(port: int) -> bool:
    """Whether nobody listens on a TCP port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as attempt:
        # Connections that have just ended are no obstacle.
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def find_conflicts(layout: Layout, routes: list[dict[str, Any]], resolvers: list[str]) -> list[str]:
    """`range_conflicts` of routes as `ip -json route` prints them and of name servers' addresses."""
    ranges: list[IPv4Network | IPv6Network] = [
        layout.fabric_ipv4,
        layout.load_balancers_ipv4,
        layout.pods_ipv4,
        layout.services_ipv4,
        layout.fabric_ipv6,
        layout.load_balancers_ipv6,
        layout.pods_ipv6,
        layout.services_ipv6,
    ]
    found = []
    for route in routes:
        destination = _network(str(route.get("dst", "")))
        if destination is None or destination.prefixlen == 0 or destination.is_multicast:
            continue
        found += [
            f"{ours} overlaps with the route to {destination} (dev {route.get('dev', '?')})"
            for ours in ranges
            if _overlap(ours, destination)
        ]
    for resolver in resolvers:
        address = _network(resolver)
        found += [f"{ours} holds the name server {resolver}" for ours in ranges if address and _overlap(ours, address)]
    return found


def _overlap(a: IPv4Network | IPv6Network, b: IPv4Network | IPv6Network) -> bool:
    if isinstance(a, IPv4Network) and isinstance(b, IPv4Network):
        return a.overlaps(b)
    return isinstance(a, IPv6Network) and isinstance(b, IPv6Network) and a.overlaps(b)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None

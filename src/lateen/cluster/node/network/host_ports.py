"""Container ports that a pod wants on its node's own addresses (`hostPort`): what to map, and the rules for it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Literal

from lateen.cluster.objects import Obj

TABLE = "lateen-host-ports"


def port_mappings(pod: Obj) -> tuple[Obj, ...]:
    """The pod's host ports in the form that CNI's `portMappings` capability has."""
    spec = pod.get("spec") or {}
    if spec.get("hostNetwork"):
        return ()
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return tuple(
        {
            "hostPort": int(port["hostPort"]),
            "containerPort": int(port["containerPort"]),
            "protocol": str(port.get("protocol") or "TCP").lower(),
            "hostIP": str(port.get("hostIP") or ""),
        }
        for container in (*sidecars, *(spec.get("containers") or ()))
        for port in container.get("ports") or ()
        if port.get("hostPort")
    )


def render_host_ports(pods: Iterable[tuple[tuple[str, ...], tuple[Obj, ...]]]) -> str:
    """A script that replaces all host port rules, given each pod's addresses and mappings."""
    pods = list(pods)
    return _render(pods, "ip") + _render(pods, "ip6")


def _render(pods: list[tuple[tuple[str, ...], tuple[Obj, ...]]], ip: Literal["ip", "ip6"]) -> str:
    version = 4 if ip == "ip" else 6
    rules: list[str] = []
    hairpins: list[str] = []
    for addresses, mappings in pods:
        address = next((a for a in addresses if ipaddress.ip_address(a).version == version), None)
        if address is None:
            continue
        target = address if version == 4 else f"[{address}]"
        for mapping in mappings:
            host = str(mapping.get("hostIP") or "")
            wildcard = host in ("", "0.0.0.0", "::")
            if not wildcard and ipaddress.ip_address(host).version != version:
                continue
            where = "fib daddr type local" if wildcard else f"{ip} daddr {host}"
            rules.append(
                f"{where} {mapping['protocol']} dport {mapping['hostPort']} dnat to {target}:{mapping['containerPort']}"
            )
            hairpins.append(f"{ip} saddr {address} {ip} daddr {address} ct status dnat masquerade")
    table = f"{ip} {TABLE}"
    lines = [f"add table {table}", f"delete table {table}"]
    if rules:
        lines += [
            f"table {table} {{",
            "  chain host-ports {",
            *(f"    {rule}" for rule in rules),
            "  }",
            "  chain prerouting {",
            "    type nat hook prerouting priority -105; policy accept;",
            "    jump host-ports",
            "  }",
            "  chain output {",
            "    type nat hook output priority -105; policy accept;",
            f"    {ip} daddr != {'127.0.0.0/8' if version == 4 else '::1'} jump host-ports",
            "  }",
            "  chain postrouting {",
            "    type nat hook postrouting priority 95; policy accept;",
            *(f"    {rule}" for rule in dict.fromkeys(hairpins)),
            "  }",
            "}",
        ]
    return "".join(f"{line}\n" for line in lines)

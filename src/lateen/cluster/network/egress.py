"""The way out for pods, on demand: IPv4 over the machine's own uplink, masqueraded.

Forwarding is switched on per interface (the cluster's and the uplinks' ones), never for the machine as a whole, and
the uplinks' former setting comes back when the last cluster that needs it goes. IPv6 has no egress: forwarding there
is the machine's as a whole and would make it deaf to router advertisements.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from lateen.cluster.layout import Layout
from lateen.cluster.network.commands import ip_batch, nft, run
from lateen.cluster.network.namespace import NAMED, is_namespace

STATE = Path("/run/lateen/egress.json")
"""Which uplinks had which setting before, and which clusters use them; gone after a reboot as the settings are."""

_Uplinks: TypeAlias = dict[str, dict[str, object]]


def table_name(layout: Layout) -> str:
    return f"lateen-{layout.name}"


def enable_egress(layout: Layout) -> None:
    """Lets the cluster's nodes and pods reach what the machine reaches. Raises CommandError."""
    uplinks = {
        str(r["dev"]) for r in json.loads(run(["ip", "-json", "route", "show", "default"]) or "[]") if "dev" in r
    }
    with _state() as state:
        for uplink in sorted(uplinks):
            entry = state.setdefault(uplink, {"previous": _forwarding(uplink).read_text().strip(), "clusters": []})
            entry["clusters"] = sorted({*_clusters(entry), layout.name})
            _forwarding(uplink).write_text("1")
    _forwarding(layout.host_interface).write_text("1")
    nft(render(layout))
    # The link-local next hop of the fabric: the host.
    ip_batch([f"route replace default via {layout.host_ipv4}"], namespace=NAMED / layout.fabric_netns)


def render(layout: Layout) -> str:
    """The rules on the host, as a script that replaces them."""
    table = f"ip {table_name(layout)}"
    inside = f"{{ {layout.pods_ipv4}, {layout.fabric_ipv4} }}"
    return "\n".join(
        (
            f"add table {table}",
            f"delete table {table}",
            f"table {table} {{",
            "  chain egress {",
            "    type nat hook postrouting priority srcnat;",
            f'    ip saddr {inside} oifname != "{layout.host_interface}" masquerade',
            "  }",
            "  chain ingress {",
            # What only the opened uplink would now let in: new connections from outside to the cluster.
            "    type filter hook forward priority filter;",
            f'    oifname "{layout.host_interface}" ct state new drop',
            "  }",
            "}",
            "",
        )
    )


def disable_egress(layout: Layout) -> None:
    """Takes back what `enable_egress` did; nothing happens when it did nothing."""
    tables = json.loads(run(["nft", "-j", "list", "tables"], check=False) or "{}").get("nftables", [])
    if any(t.get("table", {}).get("name") == table_name(layout) for t in tables):
        with contextlib.suppress(FileNotFoundError):
            _forwarding(layout.host_interface).write_text("0")
        nft(f"delete table ip {table_name(layout)}\n")
    fabric = NAMED / layout.fabric_netns
    if is_namespace(fabric):
        ip_batch([f"route del default via {layout.host_ipv4}"], namespace=fabric, keep_going=True)
    if not STATE.exists():
        return
    with _state() as state:
        for uplink, entry in list(state.items()):
            left = [name for name in _clusters(entry) if name != layout.name]
            entry["clusters"] = left
            if not left:
                with contextlib.suppress(FileNotFoundError):
                    _forwarding(uplink).write_text(str(entry["previous"]))
                del state[uplink]


def _clusters(entry: dict[str, object]) -> list[str]:
    names = entry.get("clusters")
    return [str(name) for name in names] if isinstance(names, list) else []


def _forwarding(interface: str) -> Path:
    return Path("/proc/sys/net/ipv4/conf") / interface / "forwarding"


@contextlib.contextmanager
def _state() -> Iterator[_Uplinks]:
    """The shared record, locked: several clusters come and go at the same time."""
    STATE.parent.mkdir(parents=True, exist_ok=True)
    with open(STATE, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        state: _Uplinks = json.loads(text) if text.strip() else {}
        yield state
        file.seek(0)
        file.truncate()
        json.dump(state, file)
        if not state:
            STATE.unlink(missing_ok=True)

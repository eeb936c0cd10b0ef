"""What a resolv.conf says. Source: resolv.conf(5)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

_MAX_SERVERS = 3
_MAX_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """`options` holds `name` -> value, which is empty for an option without one."""

    servers: list[str]
    searches: list[str]
    options: dict[str, str]


def parse_resolv_conf(text: str) -> ResolvConf:
    """Reads a resolv.conf: at most three name servers; lines that hold no address are left out."""
    servers: list[str] = []
    searches: list[str] = []
    options: dict[str, str] = {}
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver" and _is_address(words[1]):
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            searches = words[1:]
        elif words[0] == "options":
            options |= {name: value for name, _, value in (word.partition(":") for word in words[1:])}
    return ResolvConf(servers[:_MAX_SERVERS], searches, options)


def read_resolvers(path: Path) -> list[str]:
    """The machine's name servers; empty when the file is unreadable."""
    try:
        with path.open(errors="replace") as file:
            return parse_resolv_conf(file.read(_MAX_BYTES)).servers
    except OSError:
        return []


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True

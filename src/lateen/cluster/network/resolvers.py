"""The name servers that a resolv.conf lists."""

from __future__ import annotations

import ipaddress
from pathlib import Path

_MAX_SERVERS = 3
_MAX_BYTES = 1 << 16


def read_resolvers(path: Path) -> list[str]:
    """The addresses of the `nameserver` lines, at most three as resolv.conf(5) has it; empty when unreadable."""
    try:
        with path.open(errors="replace") as file:
            return parse_resolvers(file.read(_MAX_BYTES))
    except OSError:
        return []


def parse_resolvers(text: str) -> list[str]:
    """The `nameserver` addresses of a resolv.conf's text; lines that hold no address are left out."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                ipaddress.ip_address(words[1].partition("%")[0])
            except ValueError:
                continue
            found.append(words[1])
    return found[:_MAX_SERVERS]

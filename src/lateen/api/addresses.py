"""Addresses of hosts, as sockets of both families tell them."""

from __future__ import annotations

import ipaddress


def unmapped(address: str) -> str:
    """The IPv4 address that a socket of both families shows as IPv6 (`::ffff:10.0.0.1`); others as they are."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped) if mapped is not None else address

"""Addresses of the form HOST:PORT; IPv6 addresses are in brackets. Pure."""

from __future__ import annotations

import ipaddress

__all__ = ["is_address", "split"]


def split(address: str) -> tuple[str, int]:
    """Host (without brackets) and port. Raises ValueError."""
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or len(port) > 5 or not 0 < int(port) < 65_536:
        raise ValueError(f"{address[:300]!r} is not of the form HOST:PORT")
    return host.strip("[]"), int(port)


def is_address(host: str) -> bool:
    """Whether it is an IP address; else it is a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

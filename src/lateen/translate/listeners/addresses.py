"""Addresses of listeners, and the ranges that filter chains match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_UNIX = "unix://"


def set_addresses(listener: Any, addresses: Sequence[str], port: int) -> None:
    """Gives a `Listener` its addresses, the first of which is the main one. `unix://@NAME` is an abstract socket."""
    _set(listener.address, addresses[0], port)
    for address in addresses[1:]:
        _set(listener.additional_addresses.add().address, address, port)


def add_prefixes(match: Any, prefixes: Sequence[str]) -> None:
    """Adds destination address ranges to a `FilterChainMatch`; a plain address is a range of one."""
    for prefix in prefixes:
        address, slash, length = prefix.partition("/")
        added = match.prefix_ranges.add(address_prefix=address)
        added.prefix_len.value = int(length) if slash else (128 if ":" in address else 32)


def _set(message: Any, address: str, port: int) -> None:
    if address.startswith(_UNIX):
        message.pipe.path = address.removeprefix(_UNIX)
    else:
        message.socket_address.address = address
        message.socket_address.port_value = port

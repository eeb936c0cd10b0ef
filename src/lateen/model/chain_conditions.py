"""The conditions of filter chains in the one form that Envoy takes: it refuses a whole listener for any other."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from lateen.model import hosts


def server_names(names: Iterable[str]) -> tuple[str, ...]:
    """Server names (SNI), each once, in lower case. A wildcard can only be a whole label (`*.example.com`): others are
    left out."""
    usable = (name.lower() for name in names if not hosts.is_wildcard(name) or name.startswith("*."))
    return tuple(dict.fromkeys(usable))


def address_ranges(prefixes: Iterable[str]) -> tuple[str, ...]:
    """Address ranges, each once, without bits beyond their length; a plain address is a range of one."""
    found: dict[str, None] = {}
    for prefix in prefixes:
        try:
            found[str(ipaddress.ip_network(prefix, strict=False))] = None
        except ValueError:
            continue
    return tuple(found)

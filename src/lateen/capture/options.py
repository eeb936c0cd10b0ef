"""The words of the command line as values. Each function raises ValueError, saying what is wrong with which word.

Source: the options of Istio's `istio-iptables`; lists are separated by commas."""

from __future__ import annotations

import grp
import ipaddress
import pwd
import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Final

from lateen.capture.capture import Network, Owners, PortRange

_INTERFACE: Final = re.compile(r"[A-Za-z0-9_.:@-]{1,15}\+?")
_LAST_PORT: Final = 65535


def words(text: str) -> tuple[str, ...]:
    """What stands between the commas."""
    return tuple(word for word in (each.strip() for each in text.split(",")) if word)


def port(text: str) -> int:
    """One port."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= _LAST_PORT):
        raise ValueError(f"{text!r} is no port (1 to {_LAST_PORT})")
    return int(text)


def ports(text: str) -> tuple[PortRange, ...]:
    """Ports and ranges (`8000:8999` or `8000-8999`), merged and in order."""
    return tuple(_merged(sorted(_range(word) for word in words(text))))


def all_or_ports(text: str) -> tuple[PortRange, ...] | None:
    """`ports`, or None for `*`."""
    return None if text.strip() == "*" else ports(text)


def _range(word: str) -> PortRange:
    first, *last = re.split("[:-]", word, maxsplit=1)
    found = PortRange(port(first), port(last[0] if last else first))
    if found.first > found.last:
        raise ValueError(f"{word!r} ends before it begins")
    return found


def _merged(ranges: Sequence[PortRange]) -> Iterator[PortRange]:
    current: PortRange | None = None
    for each in ranges:
        if current and each.first <= current.last + 1:
            current = PortRange(current.first, max(current.last, each.last))
        else:
            if current:
                yield current
            current = each
    if current:
        yield current


def networks(text: str) -> tuple[Network, ...]:
    """CIDRs and single addresses of both families, merged and in order."""
    found: list[Network] = []
    for word in words(text):
        try:
            found.append(ipaddress.ip_network(word, strict=False))
        except ValueError as problem:
            raise ValueError(f"{word!r} is neither an address nor a range in CIDR form") from problem
    return (
        *ipaddress.collapse_addresses(each for each in found if isinstance(each, IPv4Network)),
        *ipaddress.collapse_addresses(each for each in found if isinstance(each, IPv6Network)),
    )


def all_or_networks(text: str) -> tuple[Network, ...] | None:
    """`networks`, or None for `*`."""
    return None if text.strip() == "*" else networks(text)


def loopback(text: str) -> IPv4Network:
    """A range of IPv4's loopback addresses."""
    found = networks(text)
    if len(found) != 1 or not isinstance(found[0], IPv4Network) or not found[0].is_loopback:
        raise ValueError(f"{text!r} is not a range within 127.0.0.0/8")
    return found[0]


def interfaces(text: str) -> tuple[str, ...]:
    """Names of network interfaces; a `+` at the end stands for any ending."""
    found = words(text)
    for name in found:
        if not _INTERFACE.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a network interface")
    return tuple(dict.fromkeys(found))


def mark(text: str) -> int:
    """A packet mark, decimal or hexadecimal."""
    return _number(text, "packet mark")


def route_table(text: str) -> int:
    """A routing table's number."""
    return _number(text, "routing table")


def _number(text: str, what: str) -> int:
    try:
        found = int(text, 0)
    except ValueError:
        found = 0
    if not 0 < found < 2**32:
        raise ValueError(f"{text!r} is not the number of a {what} (1 to 2^32-1)")
    return found


def user_ids(text: str) -> tuple[int, ...]:
    """Users by number or by name."""
    return tuple(dict.fromkeys(_user(word) for word in words(text)))


def _user(word: str) -> int:
    if word.isascii() and word.isdecimal():
        return int(word)
    try:
        return pwd.getpwnam(word).pw_uid
    except KeyError as problem:
        raise ValueError(f"there is no user {word!r} here; give a number") from problem


def group_ids(text: str) -> tuple[int, ...]:
    """Groups by number or by name."""
    return tuple(dict.fromkeys(_group(word) for word in words(text)))


def _group(word: str) -> int:
    if word.isascii() and word.isdecimal():
        return int(word)
    try:
        return grp.getgrnam(word).gr_gid
    except KeyError as problem:
        raise ValueError(f"there is no group {word!r} here; give a number") from problem


def owners(included: str, excluded: str) -> Owners:
    """Whose traffic is captured."""
    if included.strip() == "*":
        return Owners(group_ids(excluded), excluded=True)
    if excluded.strip():
        raise ValueError("owner groups are either included or excluded, not both")
    return Owners(group_ids(included), excluded=False)


def proxy_user(name: str, default: int) -> int:
    """The number of the user that proxies run as, where there is one of that name."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return default

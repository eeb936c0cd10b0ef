"""The functions that Kubernetes adds to CEL: lists, sets, regular expressions, URLs, IP addresses, quantities.

Source: k8s.io/apiserver `cel/library`. Values of Kubernetes' own types are maps here (`{"quantity": ...}`), which makes
equality mean what it should and keeps them apart from everything else.
"""

from __future__ import annotations

import ipaddress
import itertools
import urllib.parse
from collections.abc import Callable
from typing import Any, Final

from cel_expr_python import cel

from lateen.cluster import quantity
from lateen.cluster.apiserver.schema import formats
from lateen.cluster.apiserver.schema.cel_strings import function, method, overload
from lateen.cluster.apiserver.schema.value_checks import compile_pattern
from lateen.cluster.apiserver.schema.value_equality import equal

_TYPE = cel.Type
_STRING, _INT, _BOOL, _DYN = _TYPE.STRING, _TYPE.INT, _TYPE.BOOL, _TYPE.DYN
_LIST = _TYPE.List(_DYN)
_STRINGS = _TYPE.List(_STRING)
_OWN = _TYPE.Map(_STRING, _DYN)

_NANO: Final = 10**9


def declarations() -> list[Any]:
    return [*_lists(), *_sets(), *_regular_expressions(), *_urls(), *_addresses(), *_quantities()]


def _lists() -> list[Any]:
    return [
        method("isSorted", _BOOL, ((_LIST,), lambda items: all(a <= b for a, b in itertools.pairwise(items)))),
        method("sum", _DYN, ((_LIST,), _sum)),
        method("min", _DYN, ((_LIST,), lambda items: min(_some(items, "min")))),
        method("max", _DYN, ((_LIST,), lambda items: max(_some(items, "max")))),
    ]


def _sum(items: list[Any]) -> Any:
    if not items:
        return 0
    total = items[0]
    for item in items[1:]:
        total = total + item
    return total


def _some(items: list[Any], name: str) -> list[Any]:
    if not items:
        raise ValueError(f"{name} called on empty list")
    return items


def _sets() -> list[Any]:
    def has(items: list[Any], item: Any) -> bool:
        return any(equal(item, candidate) for candidate in items)

    def contains(a: list[Any], b: list[Any]) -> bool:
        return all(has(a, item) for item in b)

    return [
        function("sets.contains", _BOOL, ((_LIST, _LIST), contains)),
        function("sets.equivalent", _BOOL, ((_LIST, _LIST), lambda a, b: contains(a, b) and contains(b, a))),
        function("sets.intersects", _BOOL, ((_LIST, _LIST), lambda a, b: any(has(a, item) for item in b))),
    ]


def _regular_expressions() -> list[Any]:
    def find(text: str, pattern: str) -> str:
        found = compile_pattern(pattern).search(text)
        return str(found[0]) if found else ""

    def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
        found = [match[0] for match in compile_pattern(pattern).finditer(text)]
        return found if limit < 0 else found[:limit]

    return [
        method("find", _STRING, ((_STRING, _STRING), find)),
        method("findAll", _STRINGS, ((_STRING, _STRING), find_all), ((_STRING, _STRING, _INT), find_all)),
    ]


def _urls() -> list[Any]:
    def url(text: str) -> dict[str, Any]:
        if not formats.is_uri(text):
            raise ValueError(f"URL parse error during conversion from string: {text}")
        return {"url": text}

    def part(of: Callable[[urllib.parse.SplitResult], Any]) -> Callable[[dict[str, Any]], Any]:
        return lambda value: of(urllib.parse.urlsplit(_field(value, "url")))

    def hostname(parts: urllib.parse.SplitResult) -> str:
        return (
            parts.netloc.rpartition("@")[2].rpartition(":")[0].strip("[]")
            if _has_port(parts)
            else _host(parts).strip("[]")
        )

    return [
        function("url", _OWN, ((_STRING,), url)),
        function("isURL", _BOOL, ((_STRING,), formats.is_uri)),
        method("getScheme", _STRING, ((_OWN,), part(lambda parts: parts.scheme))),
        method("getHost", _STRING, ((_OWN,), part(_host))),
        method("getHostname", _STRING, ((_OWN,), part(hostname))),
        method("getPort", _STRING, ((_OWN,), part(lambda parts: str(parts.port) if parts.port is not None else ""))),
        method("getEscapedPath", _STRING, ((_OWN,), part(lambda parts: parts.path))),
        method(
            "getQuery", _DYN, ((_OWN,), part(lambda parts: urllib.parse.parse_qs(parts.query, keep_blank_values=True)))
        ),
    ]


def _host(parts: urllib.parse.SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _has_port(parts: urllib.parse.SplitResult) -> bool:
    return parts.port is not None


def _addresses() -> list[Any]:
    def ip(text: str) -> dict[str, Any]:
        return {"ip": str(_ip(text))}

    def is_ip(text: str) -> bool:
        return _holds(_ip, text)

    def cidr(text: str) -> dict[str, Any]:
        return {"cidr": str(_interface(text))}

    def contains_ip(outer: dict[str, Any], inner: Any) -> bool:
        address = _ip(inner if isinstance(inner, str) else _field(inner, "ip"))
        return address in ipaddress.ip_network(_field(outer, "cidr"), strict=False)

    def contains_cidr(outer: dict[str, Any], inner: Any) -> bool:
        text = inner if isinstance(inner, str) else _field(inner, "cidr")
        outside: Any = ipaddress.ip_network(_field(outer, "cidr"), strict=False)
        inside: Any = ipaddress.ip_network(text, strict=False)
        return bool(outside.version == inside.version and inside.subnet_of(outside))

    def masked(value: dict[str, Any]) -> dict[str, Any]:
        return {"cidr": str(ipaddress.ip_network(_field(value, "cidr"), strict=False))}

    def asked(of: Callable[[Any], bool]) -> Callable[[dict[str, Any]], bool]:
        return lambda value: of(_ip(_field(value, "ip")))

    def family(value: dict[str, Any]) -> int:
        return int(_ip(_field(value, "ip")).version)

    return [
        cel.FunctionDecl(
            "ip",
            [
                overload("ip", _OWN, ((_STRING,), ip), member=False),
                overload(
                    "ip", _OWN, ((_OWN,), lambda value: {"ip": _field(value, "cidr").partition("/")[0]}), member=True
                ),
            ],
        ),
        function("isIP", _BOOL, ((_STRING,), is_ip)),
        function("ip.isCanonical", _BOOL, ((_STRING,), lambda text: str(_ip(text)) == text)),
        method("family", _INT, ((_OWN,), family)),
        method("isUnspecified", _BOOL, ((_OWN,), asked(lambda address: address.is_unspecified))),
        method("isLoopback", _BOOL, ((_OWN,), asked(lambda address: address.is_loopback))),
        method("isLinkLocalMulticast", _BOOL, ((_OWN,), asked(_is_link_local_multicast))),
        method("isLinkLocalUnicast", _BOOL, ((_OWN,), asked(lambda address: address.is_link_local))),
        method("isGlobalUnicast", _BOOL, ((_OWN,), asked(_is_global_unicast))),
        function("cidr", _OWN, ((_STRING,), cidr)),
        function("isCIDR", _BOOL, ((_STRING,), lambda text: _holds(_interface, text))),
        method("containsIP", _BOOL, ((_OWN, _STRING), contains_ip), ((_OWN, _OWN), contains_ip)),
        method("containsCIDR", _BOOL, ((_OWN, _STRING), contains_cidr), ((_OWN, _OWN), contains_cidr)),
        method("masked", _OWN, ((_OWN,), masked)),
        method("prefixLength", _INT, ((_OWN,), lambda value: int(_field(value, "cidr").partition("/")[2]))),
    ]


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text)
    if "%" in text:
        raise ValueError(f"IP Address {text!r} with zone value is not allowed")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise ValueError(f"IPv4-mapped IPv6 address {text!r} is not allowed")
    return address


def _interface(text: str) -> Any:
    if not formats.is_cidr(text):
        raise ValueError(f"network address parse error during conversion from string: invalid CIDR address: {text}")
    return ipaddress.ip_interface(text)


def _is_link_local_multicast(address: Any) -> bool:
    network = ipaddress.ip_network("224.0.0.0/24" if address.version == 4 else "ff02::/16")
    return address in network


def _is_global_unicast(address: Any) -> bool:
    """As Go: anything that is not multicast, loopback, link-local, unspecified or broadcast; private ones count."""
    return not (
        address.is_multicast
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or str(address) == "255.255.255.255"
    )


def _quantities() -> list[Any]:
    def nano(value: Any) -> int:
        return int(_field(value, "quantity"))

    def made(text: str) -> dict[str, Any]:
        # As text: a quantity in nano-units may not fit CEL's 64-bit integers.
        return {"quantity": str(quantity.parse(text).nano)}

    def combined(sign: int) -> Callable[[Any, Any], dict[str, Any]]:
        def combine(a: Any, b: Any) -> dict[str, Any]:
            return {"quantity": str(nano(a) + sign * (b * _NANO if isinstance(b, int) else nano(b)))}

        return combine

    def as_integer(value: Any) -> int:
        whole, rest = divmod(nano(value), _NANO)
        if rest:
            raise ValueError("cannot convert value to integer")
        return whole

    return [
        function("quantity", _OWN, ((_STRING,), made)),
        function("isQuantity", _BOOL, ((_STRING,), formats.is_quantity)),
        method("sign", _INT, ((_OWN,), lambda value: (nano(value) > 0) - (nano(value) < 0))),
        method("isInteger", _BOOL, ((_OWN,), lambda value: nano(value) % _NANO == 0)),
        method("asInteger", _INT, ((_OWN,), as_integer)),
        method("asApproximateFloat", _DYN, ((_OWN,), lambda value: nano(value) / _NANO)),
        method("isGreaterThan", _BOOL, ((_OWN, _OWN), lambda a, b: nano(a) > nano(b))),
        method("isLessThan", _BOOL, ((_OWN, _OWN), lambda a, b: nano(a) < nano(b))),
        method("compareTo", _INT, ((_OWN, _OWN), lambda a, b: (nano(a) > nano(b)) - (nano(a) < nano(b)))),
        method("add", _OWN, ((_OWN, _OWN), combined(1)), ((_OWN, _INT), combined(1))),
        method("sub", _OWN, ((_OWN, _OWN), combined(-1)), ((_OWN, _INT), combined(-1))),
    ]


def _field(value: Any, name: str) -> str:
    """The text inside one of our own values. Raises ValueError for any other map."""
    if not isinstance(value, dict) or name not in value:
        raise ValueError("no such overload")
    return str(value[name])


def _holds(parse: Callable[[str], Any], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True

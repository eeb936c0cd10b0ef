"""Texts of annotations and values that have a form of their own: each function says what is wrong with one; empty when
nothing is."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Final

_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "false", "FALSE", "False"))
_LEVELS: Final = frozenset(("trace", "debug", "info", "warning", "warn", "error", "critical", "off"))
_LISTED: Final = ", ".join(sorted(_LEVELS))
_AGENT_LEVELS: Final = frozenset(("debug", "info", "warn", "error", "fatal", "none"))
_QUANTITY: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei|e[0-9]+)?")
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")


def parse_bool(text: str) -> bool | None:
    """As Go's strconv.ParseBool; None for everything else."""
    return True if text in _TRUE else False if text in _FALSE else None


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def wrong_boolean(text: str) -> str:
    return "" if parse_bool(text) is not None else "expected true or false"


def wrong_unsigned(text: str) -> str:
    good = text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) < 2**32
    return "" if good else "expected a whole number of 0 or more"


def wrong_port(text: str) -> str:
    good = text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535
    return "" if good else "expected a port from 0 to 65535"


def wrong_ports(text: str) -> str:
    for word in words(text) if text.strip() else ():
        ends = re.split("[-:]", word)
        if len(ends) > 2 or any(wrong_port(end) for end in ends) or int(ends[0]) > int(ends[-1]):
            return f"{word[:50]!r} is no port; expected a list such as 80,8000-8999"
    return ""


def wrong_all_or_ports(text: str) -> str:
    return "" if text == "*" else wrong_ports(text)


def wrong_networks(text: str) -> str:
    for word in words(text) if text.strip() else ():
        try:
            ip_network(word, strict=False)
        except ValueError:
            return f"{word[:50]!r} is no CIDR; expected a list such as 10.0.0.0/8,192.168.1.0/24"
    return ""


def wrong_all_or_networks(text: str) -> str:
    return "" if text == "*" else wrong_networks(text)


def wrong_quantity(text: str) -> str:
    return "" if _QUANTITY.fullmatch(text) else "expected a quantity such as 100m or 128Mi"


def wrong_levels(text: str) -> str:
    """Of Envoy's log: one for all, and of components."""
    for word in words(text):
        if word.rpartition(":")[2] not in _LEVELS:
            return f"{word[:50]!r} is wrong; expected LEVEL, or LEVEL,COMPONENT:LEVEL, ...; levels are {_LISTED}"
    return ""


def wrong_component_levels(text: str) -> str:
    for word in words(text) if text.strip() else ():
        component, separator, level = word.partition(":")
        if not component or not separator or level not in _LEVELS:
            return f"{word[:50]!r} is wrong; expected COMPONENT:LEVEL, ..., such as upstream:debug,misc:error"
    return ""


def wrong_agent_levels(text: str) -> str:
    for word in words(text):
        if word.rpartition(":")[2] not in _AGENT_LEVELS:
            return f"{word[:50]!r} is wrong; expected [SCOPE:]LEVEL, ..., a level of {', '.join(sorted(_AGENT_LEVELS))}"
    return ""


def wrong_interfaces(text: str) -> str:
    good = all(re.fullmatch(r"[A-Za-z0-9_.@-]{1,15}\*?", word) for word in words(text))
    return "" if good or not text else "expected names of network interfaces, separated by commas"


def wrong_image(text: str) -> str:
    return "" if _IMAGE.fullmatch(text) else "expected the name of an image"

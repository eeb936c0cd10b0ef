"""The forms of host names, DNS labels, addresses and sockets. Each function says what is wrong, or nothing ("")."""

from __future__ import annotations

import ipaddress
import re

_LABEL = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_FIRST_LABEL = re.compile(r"\*|(?:\*|\*-)?[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_PLAIN_NAME = re.compile(
    r"(?:[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"
)
"""Host names without wildcards whose last label begins with a letter: nearly all, in one go."""
_LABEL_LENGTH = 63
_NAME_LENGTH = 255

UNIX_PREFIX = "unix://"


def is_dns_label(text: str) -> bool:
    """RFC 1123: letters, digits and inner hyphens, at most 63."""
    return len(text) <= _LABEL_LENGTH and _LABEL.fullmatch(text) is not None


def wrong_fqdn(name: str) -> str:
    """What is wrong with a host name without wildcards; a final dot is allowed."""
    if not 0 < len(name) <= _NAME_LENGTH:
        return f"must be a host name of 1 to {_NAME_LENGTH} characters, not {name!r}"
    if _PLAIN_NAME.fullmatch(name):
        return ""
    labels = name.removesuffix(".").split(".")
    for label in labels:
        if not is_dns_label(label):
            return f"must be a host name, not {name!r}: {label!r} is not a DNS label"
    if labels[-1].isdigit():
        return f"must be a host name, not {name!r}: the last label is a number"
    return ""


def wrong_wildcard_host(name: str) -> str:
    """What is wrong with a host name whose first label may be a wildcard: `*`, `*.example.com`, `*-a.example.com`."""
    if not 0 < len(name) <= _NAME_LENGTH:
        return f"must be a host name of 1 to {_NAME_LENGTH} characters, not {name!r}"
    if _PLAIN_NAME.fullmatch(name):
        return ""
    first, dot, rest = name.partition(".")
    if len(first) > _LABEL_LENGTH or _FIRST_LABEL.fullmatch(first) is None:
        return f"must be a host name, not {name!r}: {first!r} is neither a DNS label nor a wildcard"
    return wrong_fqdn(rest) and f"must be a host name, not {name!r}" if dot else ""


def wrong_address(text: str) -> str:
    """What is wrong with an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return f"must be an IP address, not {text!r}"
    return ""


def wrong_unix_address(path: str) -> str:
    """What is wrong with the part of a unix domain socket's address after `unix://`."""
    if not path:
        return "must name a unix domain socket"
    if path.startswith("@") or (path.startswith("/") and not path.endswith("/")):
        return ""
    return f"must be the absolute path of a socket or @NAME, not {path!r}"

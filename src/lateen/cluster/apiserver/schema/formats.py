"""The string formats that schemas may name, as predicates.

Source: k8s.io/kube-openapi `strfmt`, as far as `apiextensions.k8s.io/v1` supports it. An unknown format constrains
nothing.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import ipaddress
import re
import urllib.parse
from collections.abc import Callable
from typing import Final

from lateen.cluster import quantity

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)")
_HOSTNAME = re.compile(
    r"(?:[A-Za-z0-9\u00a1-\uffff](?:[-A-Za-z0-9\u00a1-\uffff]{0,62})\.)*[A-Za-z0-9\u00a1-\uffff](?:[-A-Za-z0-9\u00a1-\uffff]{0,62})\.?"
)
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+")
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}(?:[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{2}[:-]){2}[0-9A-Fa-f]{2})")
_UUID = re.compile(
    r"[0-9A-Fa-f]{8}-?[0-9A-Fa-f]{4}-?([0-9A-Fa-f])[0-9A-Fa-f]{3}-?([0-9A-Fa-f])[0-9A-Fa-f]{3}-?[0-9A-Fa-f]{12}"
)
_HEX_COLOR = re.compile(r"#?(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})")
_RGB_COLOR = re.compile(
    r"rgb\(\s*(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\s*(?:,\s*(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\s*){2}\)"
)
_DURATION = re.compile(r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+")
_WORDY_DURATION = re.compile(
    r"\s*\d+\s*(?:ns|nano\w*|us|µs|micro\w*|ms|milli\w*|s|sec\w*|m|min\w*|h|hr|hour\w*|d|days?|w|weeks?|wk)\s*"
)
_OBJECT_ID = re.compile(r"[0-9A-Fa-f]{24}")
_SSN = re.compile(r"\d{3}[- ]?\d{2}[- ]?\d{4}")
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")


def is_date_time(text: str) -> bool:
    if not _DATE_TIME.fullmatch(text):
        return False
    try:
        dt.datetime.strptime(text[:10] + text[11:19], "%Y-%m-%d%H:%M:%S")
    except ValueError:
        return False
    return True


def is_date(text: str) -> bool:
    try:
        dt.datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        return False
    return len(text) == 10


def is_duration(text: str) -> bool:
    """Go's `1h30m`, or a number with a word such as `3 days`. `0` is a duration too."""
    return text in ("0", "+0", "-0") or bool(_DURATION.fullmatch(text) or _WORDY_DURATION.fullmatch(text))


def is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def is_uri(text: str) -> bool:
    """An absolute URI, or a path that starts with a slash (Go's `url.ParseRequestURI`)."""
    if not text or any(char <= " " or char == "\x7f" for char in text):
        return False
    try:
        parts = urllib.parse.urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return text.startswith("/") or bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text))


def is_hostname(text: str) -> bool:
    return len(text) <= 255 and _HOSTNAME.fullmatch(text) is not None


def is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text


def is_cidr(text: str) -> bool:
    address, slash, length = text.partition("/")
    if not slash or not length.isascii() or not length.isdigit() or "%" in address:
        return False
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return True


def is_quantity(text: str) -> bool:
    try:
        quantity.parse(text)
    except ValueError:
        return False
    return True


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


def _is_uuid(version: str) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        shape = _UUID.fullmatch(text)
        return shape is not None and (not version or (shape[1] == version and (version == "3" or shape[2] in "89abAB")))

    return check


def _luhn(text: str) -> bool:
    digits = [int(char) for char in text if char.isascii() and char.isdigit()]
    if not 13 <= len(digits) <= 19 or any(not char.isdigit() and char not in "- " for char in text):
        return False
    doubled = [digit if index % 2 == 0 else digit * 2 - 9 * (digit > 4) for index, digit in enumerate(digits[::-1])]
    return sum(doubled) % 10 == 0


def _isbn10(text: str) -> bool:
    compact = text.replace("-", "").replace(" ", "")
    if not re.fullmatch(r"\d{9}[\dXx]", compact):
        return False
    return sum((10 - i) * (10 if c in "Xx" else int(c)) for i, c in enumerate(compact)) % 11 == 0


def _isbn13(text: str) -> bool:
    compact = text.replace("-", "").replace(" ", "")
    if not re.fullmatch(r"\d{13}", compact):
        return False
    return sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(compact)) % 10 == 0


FORMATS: Final[dict[str, Callable[[str], bool]]] = {
    "bsonobjectid": _matches(_OBJECT_ID),
    "byte": is_base64,
    "cidr": is_cidr,
    "creditcard": _luhn,
    "date": is_date,
    "date-time": is_date_time,
    "datetime": is_date_time,
    "duration": is_duration,
    "email": _matches(_EMAIL),
    "hexcolor": _matches(_HEX_COLOR),
    "hostname": is_hostname,
    "ipv4": is_ipv4,
    "ipv6": is_ipv6,
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "k8s-long-name": lambda text: len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None,
    "k8s-short-name": _matches(_LABEL),
    "mac": _matches(_MAC),
    "quantity": is_quantity,
    "rgbcolor": _matches(_RGB_COLOR),
    "ssn": _matches(_SSN),
    "uri": is_uri,
    "uuid": _is_uuid(""),
    "uuid3": _is_uuid("3"),
    "uuid4": _is_uuid("4"),
    "uuid5": _is_uuid("5"),
}

INTEGER_RANGES: Final = {
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
}

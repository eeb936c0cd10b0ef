"""The attributes that conditions of an AuthorizationPolicy ask about, and the forms of values in its rules.

Source: Istio's pkg/config/security. Functions say what is wrong, or nothing ("").
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final

ANY_SEGMENT: Final = "{*}"
ANY_REST: Final = "{**}"
_SEGMENT: Final = re.compile(r"[a-zA-Z0-9\-._~%!$&'()+,;:@=]+")
_LONGEST_TEMPLATE: Final = 256
_HEADER: Final = re.compile(r":?[a-zA-Z0-9!#$%&'*+\-.^_`|~]+")
_HEADERS: Final = "request.headers"
_FILTERS: Final = "experimental.envoy.filters."

Judge = Callable[[str], str]


def wrong_address_or_range(text: str) -> str:
    try:
        if "%" in text:
            raise ValueError(text)
        if "/" in text:
            ipaddress.ip_interface(text)
            # A mask such as 255.0.0.0 is no CIDR range.
            if not text.partition("/")[2].isdigit():
                raise ValueError(text)
        else:
            ipaddress.ip_address(text)
    except ValueError:
        return f"expected an IP address or a CIDR range, got {text!r}"
    return ""


def wrong_port(text: str) -> str:
    if text.isascii() and text.isdigit() and int(text) <= 65535:
        return ""
    return f"expected a port of 0 to 65535, got {text!r}"


def wrong_service_account(text: str) -> str:
    parts = text.split("/")
    if "*" in text:
        return f"expected a service account without wildcards, got {text!r}"
    if len(parts) > 2 or not all(parts):
        return f"expected NAME or NAMESPACE/NAME of a service account, got {text!r}"
    return ""


def is_template(path: str) -> bool:
    """Whether a path is matched segment by segment."""
    return ANY_SEGMENT in path or ANY_REST in path


def wrong_path(path: str) -> str:
    """Paths are texts with a wildcard at an end, or templates of literal segments, `{*}`, and one last `{**}`.

    Envoy ends at once when it is given a template that it does not understand: none may get through.
    """
    template = is_template(path)
    if template and not path.startswith("/"):
        return f"expected a template that begins with /, got {path!r}"
    if template and len(path) > _LONGEST_TEMPLATE:
        return f"expected a template of at most {_LONGEST_TEMPLATE} characters, got {len(path)}"
    rest_seen = False
    for segment in path.removeprefix("/").removesuffix("/").split("/"):
        if segment in (ANY_SEGMENT, ANY_REST):
            if rest_seen:
                return f"expected nothing that matches after {ANY_REST}, got {path!r}"
            rest_seen = segment == ANY_REST
        elif "{" in segment or "}" in segment:
            return f"expected `{ANY_SEGMENT}` or `{ANY_REST}` as whole segments, got {path!r}"
        elif template and not _SEGMENT.fullmatch(segment):
            return f"expected segments of a path in the template, got {segment!r} in {path!r}"
    return ""


def nothing_wrong(_: str) -> str:
    return ""


_PLAIN: Final[dict[str, Judge]] = {
    "source.ip": wrong_address_or_range,
    "remote.ip": wrong_address_or_range,
    "source.namespace": nothing_wrong,
    "source.serviceAccount": wrong_service_account,
    "source.principal": nothing_wrong,
    "request.auth.principal": nothing_wrong,
    "request.auth.audiences": nothing_wrong,
    "request.auth.presenter": nothing_wrong,
    "destination.ip": wrong_address_or_range,
    "destination.port": wrong_port,
    "connection.sni": nothing_wrong,
}
"""Attributes and how their values are judged."""

_KEYED: Final = (_HEADERS, "request.auth.claims", _FILTERS)
"""Attributes that name one of many in brackets."""

_REPLACED: Final = {
    "destination.namespace": "it is the policy's own namespace",
    "destination.labels": "use the policy's selector",
    "destination.name": "use the policy's selector",
    "destination.user": "use the policy's selector",
}


def judge_of(key: str) -> Judge | str:
    """How values of an attribute are judged; a string says what is wrong with the attribute itself."""
    if key in _PLAIN:
        return _PLAIN[key]
    family, _, name = key.partition("[")
    for prefix in _KEYED:
        if family == prefix or (prefix == _FILTERS and family.startswith(prefix)):
            if prefix == _HEADERS and not _HEADER.fullmatch(name.removesuffix("]")):
                return f"expected {prefix}[NAME] with the name of a header, got {key!r}"
            if key.endswith("]") and len(name) > 1 and not key.startswith("["):
                return nothing_wrong
            return f"expected {prefix}[NAME], got {key!r}"
    for name, advice in _REPLACED.items():
        if key.partition("[")[0] == name:
            return f"the attribute {name} is no longer supported: {advice}"
    known = ", ".join((*_PLAIN, *(f"{prefix}[NAME]" for prefix in _KEYED[:2])))
    return f"unknown attribute {key!r}; expected one of {known}"

"""The forms of header names, header values and retry conditions.

Functions named `wrong_...` say what is wrong, or nothing ("").
"""

from __future__ import annotations

import re
from http import HTTPStatus

from lateen.api.networking.header_formats import wrong_format

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~A-Za-z0-9-]+")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_PSEUDO = frozenset({":method", ":scheme", ":authority", ":path", ":status"})
_STATUSES = frozenset(int(status) for status in HTTPStatus)

CORS_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"})

RETRY_CONDITIONS = frozenset(
    {
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
        "retriable-headers",
        "envoy-ratelimited",
        "http3-post-connect-failure",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    }
)
"""What Envoy knows as x-envoy-retry-on and x-envoy-retry-grpc-on."""

GRPC_STATUS = {
    name: code
    for code, name in enumerate(
        (
            "OK",
            "CANCELLED",
            "UNKNOWN",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
            "UNAUTHENTICATED",
        )
    )
}
"""Codes of gRPC by name."""


def is_authority(name: str) -> bool:
    """Whether a header is another name for the authority, which is rewritten rather than set."""
    return name.lower() in (":authority", "host")


def is_internal(name: str) -> bool:
    """Whether a header is none that Envoy lets one set or remove."""
    return name.startswith(":") or name.lower() == "host"


def is_status(text: str) -> bool:
    """Whether a retry condition is an HTTP status code."""
    return text.isascii() and text.isdigit() and int(text) in _STATUSES


def wrong_matched_header(name: str) -> str:
    """What is wrong with the name of a header to match."""
    if name in _PSEUDO or _TOKEN.fullmatch(name):
        return ""
    return f"must be the name of a header, not {name!r}"


def wrong_set_header(name: str, *, authority_allowed: bool) -> str:
    """What is wrong with the name of a header to set, add or remove."""
    if not name or _CONTROL.search(name):
        return f"must be the name of a header, not {name!r}"
    if is_internal(name) and not (authority_allowed and is_authority(name)):
        return f"must not be {name!r}: it cannot be changed here"
    return ""


def wrong_header_value(value: str) -> str:
    """What is wrong with the value of a header to set or add."""
    if found := _CONTROL.search(value):
        return f"must not contain the control character {found[0]!r}"
    return wrong_format(value)


def wrong_cors_header(name: str) -> str:
    """What is wrong with the name of a header in a CORS policy."""
    return "" if name == "*" or _TOKEN.fullmatch(name) else f"must be the name of a header or *, not {name!r}"

"""Header manipulation of routes and weighted clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy.config.core.v3 import base_pb2

from lateen.api.networking.http_names import is_authority, is_internal
from lateen.api.networking.virtual_service import HeaderOperations, Headers

_APPEND = base_pb2.HeaderValueOption.APPEND_IF_EXISTS_OR_ADD
_OVERWRITE = base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
_NOTHING = HeaderOperations()


def add_header_operations(out: Any, headers: Headers | None) -> None:
    """Appends to the header fields that Route and ClusterWeight have in common. The authority is not among them."""
    if headers is None:
        return
    request, response = headers.request or _NOTHING, headers.response or _NOTHING
    for added, removed, operations in (
        (out.request_headers_to_add, out.request_headers_to_remove, request),
        (out.response_headers_to_add, out.response_headers_to_remove, response),
    ):
        _add(added, operations.set, _OVERWRITE)
        _add(added, operations.add, _APPEND)
        removed.extend(name for name in operations.remove if not is_internal(name))


def authority_of(headers: Headers | None) -> str:
    """The authority that header operations ask for: Envoy rewrites it rather than setting it as a header."""
    request = headers.request if headers is not None else None
    if request is None:
        return ""
    given = (request.set[name] for name in sorted(request.set) if is_authority(name))
    added = (request.add[name] for name in sorted(request.add) if is_authority(name))
    return next((value for value in (*given, *added) if value), "")


def _add(out: Any, values: Mapping[str, str], action: int) -> None:
    for name in sorted(values):
        if not is_internal(name):
            option = out.add(append_action=action)
            option.header.key = name
            option.header.value = values[name]
            # An empty value is one that was asked for.
            option.keep_empty_value = not values[name]

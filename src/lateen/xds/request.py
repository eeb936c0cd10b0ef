"""Discovery requests, decoded to what a session needs of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.message import DecodeError

from lateen.translate.resource import ResourceType

_TYPES: Mapping[str, ResourceType] = {type_.value: type_ for type_ in ResourceType}

WILDCARD = "*"


LONGEST_ERROR = 64 * 1024
"""Characters that are read of why a response is rejected: each name that was sent is looked for in them."""


class BadRequest(Exception):
    """What a proxy sent cannot be understood or goes beyond its limits: its stream ends with INVALID_ARGUMENT."""


class DeltaRequest(msgspec.Struct, frozen=True):
    """Of envoy.service.discovery.v3.DeltaDiscoveryRequest."""

    type: ResourceType
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial_versions: Mapping[str, str] = {}
    nonce: str = ""
    error: str | None = None
    """Why the response with this nonce is rejected, in the proxy's words."""


class SotwRequest(msgspec.Struct, frozen=True):
    """Of envoy.service.discovery.v3.DiscoveryRequest."""

    type: ResourceType
    names: tuple[str, ...] = ()
    version: str = ""
    nonce: str = ""
    error: str | None = None


Request = DeltaRequest | SotwRequest


class Decoded(NamedTuple):
    type_url: str
    request: Request | None
    """None: there is nothing here of that type."""
    node: Any
    """core.v3.Node, where the proxy says who it is."""


def decode_delta(data: bytes, default: ResourceType | None = None) -> Decoded:
    """A DeltaDiscoveryRequest; `default` is the type of one that names none. Raises BadRequest."""
    message = _parse(discovery_pb2.DeltaDiscoveryRequest, data)
    type_ = _TYPES.get(message.type_url, default if not message.type_url else None)
    request = None
    if type_ is not None:
        request = DeltaRequest(
            type_,
            tuple(message.resource_names_subscribe),
            tuple(message.resource_names_unsubscribe),
            dict(message.initial_resource_versions),
            message.response_nonce,
            _error(message),
        )
    return Decoded(message.type_url, request, _node(message))


def decode_sotw(data: bytes, default: ResourceType | None = None) -> Decoded:
    """A DiscoveryRequest; `default` is the type of one that names none. Raises BadRequest."""
    message = _parse(discovery_pb2.DiscoveryRequest, data)
    type_ = _TYPES.get(message.type_url, default if not message.type_url else None)
    request = None
    if type_ is not None:
        request = SotwRequest(
            type_,
            tuple(message.resource_names),
            message.version_info,
            message.response_nonce,
            _error(message),
        )
    return Decoded(message.type_url, request, _node(message))


def _parse(message: Any, data: bytes) -> Any:
    try:
        return message.FromString(data)
    except DecodeError as error:
        raise BadRequest(f"not a {message.DESCRIPTOR.name}: {error}") from None


def _node(message: Any) -> Any:
    return message.node if message.HasField("node") else None


def _error(message: Any) -> str | None:
    if not message.HasField("error_detail"):
        return None
    return message.error_detail.message[:LONGEST_ERROR] or "rejected without a message"

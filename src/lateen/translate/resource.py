"""An Envoy resource as bytes, and how it comes about."""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from lateen.engine import Query


class ResourceType(Enum):
    """The value is the type URL; order is the order of pushing (make before break)."""

    CDS = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    EDS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
    LDS = "type.googleapis.com/envoy.config.listener.v3.Listener"
    RDS = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
    SDS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
    ECDS = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"


class Resource(msgspec.Struct, frozen=True, gc=False):
    """Serialised once, shared by every session."""

    name: str
    version: str
    """Hash of the body: equal bytes have equal versions in every process."""
    body: bytes
    """The message that the type URL names, serialised deterministically."""


def resource(name: str, message: Any) -> Resource:
    """Serialises a protobuf message."""
    return resource_of_bytes(name, message.SerializeToString(deterministic=True))


def resource_of_bytes(name: str, body: bytes) -> Resource:
    return Resource(name, blake2b(body, digest_size=8).hexdigest(), body)


class Recipe(NamedTuple):
    """How to make one resource. Views that agree on a recipe share the resource."""

    name: str
    query: Query[..., Resource]
    args: tuple[Hashable, ...]

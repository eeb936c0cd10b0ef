"""An Envoy resource as bytes, and how it comes about."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
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
    """Hash of the body, or of the digests of its parts: the same state has the same version in every process."""
    body: bytes
    """The message that the type URL names, serialised deterministically."""


def resource(name: str, message: Any) -> Resource:
    """Serialises a protobuf message."""
    return resource_of_bytes(name, message.SerializeToString(deterministic=True))


def resource_of_bytes(name: str, body: bytes) -> Resource:
    return Resource(name, blake2b(body, digest_size=8).hexdigest(), body)


class Part(NamedTuple):
    """A piece of resources, serialised and hashed once for all that have it."""

    body: bytes
    digest: bytes
    """Hash of the body."""


def part(body: bytes) -> Part:
    return Part(body, blake2b(body, digest_size=16).digest())


def resource_of_parts(name: str, parts: Sequence[Part]) -> Resource:
    """A large resource made of parts, of which few change at a time: their bytes are copied, not hashed anew."""
    digests = b"".join([each.digest for each in parts])
    return Resource(name, blake2b(digests, digest_size=8).hexdigest(), b"".join([each.body for each in parts]))


class Recipe(NamedTuple):
    """How to make one resource. Views that agree on a recipe share the resource."""

    name: str
    query: Query[..., Resource]
    args: tuple[Hashable, ...]

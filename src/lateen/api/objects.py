"""What every Kubernetes object has: a key, metadata; and the mesh's own objects, which have a spec."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import msgspec

from lateen.api.schema.message import Lenient

S = TypeVar("S")


class Key(NamedTuple):
    """Names an object among those of its kind."""

    namespace: str
    """Empty for cluster-scoped kinds."""
    name: str
    cluster: str = ""
    """Which cluster it was read from; empty for the control plane's own."""

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.cluster}:{where}" if self.cluster else where


class ObjectRef(NamedTuple):
    """Names an object among all."""

    kind: str
    key: Key

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class OwnerReference(Lenient):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    controller: bool | None = None


class Metadata(Lenient):
    """ObjectMeta without what changes by itself (resourceVersion, managedFields): equal metadata means no news."""

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    uid: str = ""
    owner_references: tuple[OwnerReference, ...] = ()


class Object(msgspec.Struct, Generic[S], frozen=True, gc=False):
    """An object of a mesh kind."""

    metadata: Metadata
    spec: S
    key: Key
    conditions: tuple[tuple[str, str], ...] = ()
    """Type and status (`True`, `False`, `Unknown`) of those conditions of its status by which the mesh goes."""

    @property
    def age(self) -> tuple[str, str, str]:
        """Sorts objects by precedence among equals: the oldest first, then by name, then by namespace."""
        return (self.metadata.creation_timestamp or "", self.metadata.name, self.metadata.namespace)

"""Kubernetes objects as plain JSON values, and the few accessors everything shares.

An object is a `dict` exactly as its JSON says (camelCase keys). Objects that came out of a store, a cache or
an informer are shared: **never mutate them**; take `deep_copy` first.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple, TypeAlias

Obj: TypeAlias = dict[str, Any]
"""A JSON object in Kubernetes' shape."""


class GVR(NamedTuple):
    """Group, version and plural resource name: what a URL says."""

    group: str
    version: str
    plural: str

    @property
    def group_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


class GVK(NamedTuple):
    """Group, version and kind: what an object says."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


class Key(NamedTuple):
    """Identifies an object within one resource; `namespace` is empty for cluster-scoped objects."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def split_api_version(api_version: str) -> tuple[str, str]:
    """`apps/v1` -> (`apps`, `v1`); `v1` -> (``, `v1`)."""
    group, _, version = api_version.rpartition("/")
    return group, version


def gvk_of(obj: Obj) -> GVK:
    group, version = split_api_version(str(obj.get("apiVersion", "")))
    return GVK(group, version, str(obj.get("kind", "")))


def metadata(obj: Obj) -> Obj:
    """The object's metadata; an empty dict (not attached to the object) when it has none."""
    meta = obj.get("metadata")
    return meta if isinstance(meta, dict) else {}


def name_of(obj: Obj) -> str:
    return str(metadata(obj).get("name") or "")


def namespace_of(obj: Obj) -> str:
    return str(metadata(obj).get("namespace") or "")


def key_of(obj: Obj) -> Key:
    return Key(namespace_of(obj), name_of(obj))


def uid_of(obj: Obj) -> str:
    return str(metadata(obj).get("uid") or "")


def labels_of(obj: Obj) -> dict[str, str]:
    return metadata(obj).get("labels") or {}


def annotations_of(obj: Obj) -> dict[str, str]:
    return metadata(obj).get("annotations") or {}


def owner_references(obj: Obj) -> list[Obj]:
    return metadata(obj).get("ownerReferences") or []


def controller_of(obj: Obj) -> Obj | None:
    """The owner reference with `controller: true`, if any."""
    return next((ref for ref in owner_references(obj) if ref.get("controller")), None)


def deep_copy(value: Any) -> Any:
    """A copy of a JSON value that shares nothing mutable with it (several times faster than `copy.deepcopy`)."""
    if isinstance(value, dict):
        return {k: deep_copy(v) for k, v in value.items()}
    if isinstance(value, list):
        return [deep_copy(v) for v in value]
    return value


def timestamp(at: dt.datetime | None = None) -> str:
    """RFC 3339 with seconds, as `metav1.Time`: `2026-01-31T10:00:00Z`."""
    return (at or dt.datetime.now(dt.UTC)).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(at: dt.datetime | None = None) -> str:
    """RFC 3339 with microseconds, as `metav1.MicroTime`."""
    return (at or dt.datetime.now(dt.UTC)).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_timestamp(text: str) -> dt.datetime:
    """Reads `metav1.Time` or `MicroTime`. Raises ValueError on anything else."""
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))

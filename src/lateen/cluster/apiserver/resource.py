"""What the API server knows of a resource before any object of it exists: names, scope, verbs, subresources."""

from __future__ import annotations

from dataclasses import dataclass

from lateen.cluster.objects import GVK, GVR

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Subresource:
    """A path below an object, as discovery describes it."""

    name: str
    """Such as `status`, `scale`, `log`."""
    kind: GVK
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource in one version, as discovery describes it."""

    gvr: GVR
    kind: str
    singular: str
    namespaced: bool
    list_kind: str
    storage_version: str
    """All versions of a group's resource share one stored collection, kept in this version."""
    verbs: tuple[str, ...] = ALL_VERBS
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[Subresource, ...] = ()

    @property
    def gvk(self) -> GVK:
        return GVK(self.gvr.group, self.gvr.version, self.kind)

    @property
    def group_resource(self) -> tuple[str, str]:
        """(group, plural): names the stored collection."""
        return self.gvr.group, self.gvr.plural

    def subresource(self, name: str) -> Subresource | None:
        return next((s for s in self.subresources if s.name == name), None)

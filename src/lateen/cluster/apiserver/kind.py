"""The behaviour of one served kind: what the REST verbs ask of it. Built-in kinds and CRDs implement this alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from lateen.cluster.apiserver.age import age_of
from lateen.cluster.apiserver.names import dns_subdomain
from lateen.cluster.apiserver.request import Context
from lateen.cluster.apiserver.resource import Resource
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.objects import GVK, Obj, deep_copy, metadata
from lateen.cluster.status import Cause

if TYPE_CHECKING:
    from lateen.cluster.apiserver.store.store import Store


@dataclass(frozen=True, slots=True)
class Column:
    """A printed column (`metav1.TableColumnDefinition`). Priority 0 is always shown, more only with `-o wide`."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


NAME_AND_AGE = (Column("Name", format="name"), Column("Age"))


class Kind:
    """One kind in one served version. Methods named `default` and `prepare_*` change the given object in place.

    The base class is a kind with no status, no columns beyond name and age, and no rules beyond its schema.
    """

    custom: ClassVar[bool] = False
    """Whether a CRD defines it: no strategic merge patch, no update without a resourceVersion."""

    created_by_update: ClassVar[bool] = False
    """Whether a PUT of an object that is not there creates it."""

    deprecation: str = ""
    """What every user of a deprecated version is warned with; empty otherwise."""

    def __init__(self, resource: Resource, schema: Schema) -> None:
        self.resource = resource
        self.schema = schema

    # --- shape -----------------------------------------------------------------------------------------------

    @property
    def has_status(self) -> bool:
        return self.resource.subresource("status") is not None

    def validate_name(self, name: str) -> list[str]:
        """What is wrong with an object's name; nothing when it is right."""
        return dns_subdomain(name)

    @property
    def storage(self) -> tuple[str, str]:
        """(group, plural) of the stored collection: the resource's own, unless it is a second view of another's."""
        return self.resource.group_resource

    def from_storage(self, obj: Obj) -> Obj:
        """A stored object as this version shows it: the same when nothing differs. Never changes the given one."""
        api_version = self.resource.gvk.api_version
        return obj if obj.get("apiVersion") == api_version else {**obj, "apiVersion": api_version}

    def shows_as_stored(self, revision: int) -> bool:
        """Whether `from_storage` leaves an object that was stored in this version at `revision` as it is."""
        return type(self).from_storage is Kind.from_storage

    def to_storage(self, obj: Obj) -> Obj:
        """The inverse: an object of this version as it is stored. Never changes the given one."""
        api_version = GVK(self.resource.gvr.group, self.resource.storage_version, self.resource.kind).api_version
        return obj if obj.get("apiVersion") == api_version else {**obj, "apiVersion": api_version}

    def default(self, obj: Obj) -> None:
        """Fills in what the author left out. Must be idempotent."""

    # --- writes ----------------------------------------------------------------------------------------------

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        """Drops what a creator may not set: a status with a subresource of its own. Generation starts at 1."""
        if self.has_status:
            obj.pop("status", None)
        metadata(obj)["generation"] = 1

    def prepare_update(self, obj: Obj, old: Obj, ctx: Context) -> None:
        """Keeps what a plain update may not change (status), and bumps the generation when the spec changed."""
        if self.has_status:
            _carry(obj, old, "status")
        changed = self.desired_state(obj) != self.desired_state(old)
        metadata(obj)["generation"] = int(metadata(old).get("generation") or 0) + (1 if changed else 0)

    def prepare_status_update(self, obj: Obj, old: Obj, ctx: Context) -> None:
        """An update of `/status` changes the status alone (metadata other than managedFields is kept too)."""
        status = obj.get("status")
        managed = metadata(obj).get("managedFields")
        resource_version = metadata(obj).get("resourceVersion")
        obj.clear()
        obj.update(deep_copy(old))
        if status is None:
            obj.pop("status", None)
        else:
            obj["status"] = status
        if managed is not None:
            obj["metadata"]["managedFields"] = managed
        if resource_version:
            obj["metadata"]["resourceVersion"] = resource_version

    def desired_state(self, obj: Obj) -> Obj:
        """The part of an object whose change bumps the generation: everything but metadata and status."""
        return {k: v for k, v in obj.items() if k not in ("metadata", "status", "apiVersion", "kind")}

    async def allocate(self, obj: Obj, old: Obj | None, store: Store, dry_run: bool) -> Callable[[], None] | None:
        """Takes what a write needs from a shared pool (addresses, ports) and sets it on `obj`, after admission and
        before validation. `old` is None on create. Returns an undo to call when the write fails, if anything was
        taken; a dry run takes nothing. Raises StatusError when the pool refuses."""
        return None

    def released(self, obj: Obj) -> None:
        """Called after the object is gone from the store: gives back what `allocate` took."""

    def validate_schema(self, obj: Obj, old: Obj | None) -> Sequence[Cause]:
        """What the schema (and its rules) object to. Built-in kinds have had their types checked while decoding."""
        return ()

    def validate_create(self, obj: Obj, ctx: Context) -> Sequence[Cause]:
        """Rules beyond the schema for a new object."""
        return ()

    def validate_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        """Rules beyond the schema for a changed object (immutable fields among them)."""
        return ()

    def validate_status_update(self, obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
        return ()

    def warnings(self, obj: Obj) -> Sequence[str]:
        """What to warn the writer about."""
        return ()

    def grace_seconds(self, obj: Obj, requested: int | None) -> int:
        """How long a deletion leaves the object in place, terminating. Zero removes it at once (after finalizers)."""
        return 0

    def prepare_delete(self, obj: Obj) -> None:
        """Called as a deletion begins that does not remove the object at once (a Namespace's phase changes)."""

    def keeps(self, obj: Obj) -> bool:
        """Whether something besides `metadata.finalizers` keeps a terminating object (a Namespace's own finalizers)."""
        return False

    # --- reads -----------------------------------------------------------------------------------------------

    def selectable_fields(self, obj: Obj) -> Mapping[str, str]:
        """Fields that field selectors may name, besides `metadata.name` and `metadata.namespace`."""
        return {}

    def columns(self) -> Sequence[Column]:
        return NAME_AND_AGE

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        """The cells for `columns()`, in order."""
        return [metadata(obj).get("name", ""), age_of(obj, now)]


def _carry(obj: Obj, old: Obj, field: str) -> None:
    if field in old:
        obj[field] = deep_copy(old[field])
    else:
        obj.pop(field, None)

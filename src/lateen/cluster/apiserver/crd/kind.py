"""The kinds that a CustomResourceDefinition makes: one per served version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from lateen.cluster.apiserver.crd.json_path import JsonPath
from lateen.cluster.apiserver.crd.printer_columns import PrinterColumns
from lateen.cluster.apiserver.crd.scale import ScalePaths
from lateen.cluster.apiserver.crd.structural import object_schema
from lateen.cluster.apiserver.kind import Column, Kind
from lateen.cluster.apiserver.request import Context
from lateen.cluster.apiserver.resource import Resource, Subresource
from lateen.cluster.apiserver.schema.defaulting import apply_defaults
from lateen.cluster.apiserver.schema.pruning import prune
from lateen.cluster.apiserver.schema.schema import MISSING, Schema
from lateen.cluster.apiserver.schema.validation import Validator
from lateen.cluster.objects import GVK, GVR, Obj, deep_copy, metadata
from lateen.cluster.status import Cause, method_not_allowed

_CHANGE = ("get", "patch", "update")


class CustomKind(Kind):
    """A kind whose rules are all in its CRD."""

    custom: ClassVar[bool] = True

    def __init__(
        self,
        resource: Resource,
        schema: Schema,
        version: Obj,
        *,
        terminating: bool = False,
        stored_schema: Schema | None = None,
        defined_at: int = 0,
    ) -> None:
        """`stored_schema` is the storage version's; `defined_at` the revision since which writes have kept to it."""
        super().__init__(resource, schema)
        self._stored_schema = stored_schema or schema
        self._defined_at = defined_at
        self._terminating = terminating
        self.openapi_schema: Obj | None = (version.get("schema") or {}).get("openAPIV3Schema")
        """What the CRD says, for the OpenAPI documents."""
        scale = (version.get("subresources") or {}).get("scale")
        self.scale = ScalePaths.of(scale) if scale is not None else None
        self.selectable_paths = tuple(
            field["jsonPath"] for field in version.get("selectableFields") or () if field.get("jsonPath")
        )
        self.deprecation = _deprecation(resource, version)
        self._selectable = {path.removeprefix("."): JsonPath(path) for path in self.selectable_paths}
        self._declared_columns = version.get("additionalPrinterColumns") or ()

    @cached_property
    def _validator(self) -> Validator:
        # Compiled when first needed: most of an operator's CRDs are never written to.
        return Validator(self.schema)

    @cached_property
    def _columns(self) -> PrinterColumns:
        return PrinterColumns(self._declared_columns)

    def shows_as_stored(self, revision: int) -> bool:
        return revision >= self._defined_at

    def from_storage(self, obj: Obj) -> Obj:
        """What was stored before its definition changed is pruned and completed as the definition says now."""
        if self.shows_as_stored(int(metadata(obj).get("resourceVersion") or self._defined_at)):
            return super().from_storage(obj)
        completed = deep_copy(obj)
        prune(completed, self._stored_schema)
        apply_defaults(completed, self._stored_schema)
        return super().from_storage(completed)

    def default(self, obj: Obj) -> None:
        apply_defaults(obj, self.schema)
        meta = metadata(obj)
        for name in [name for name, value in meta.items() if value is None]:
            # Null means absent in metadata, and is not kept.
            del meta[name]

    def prepare_create(self, obj: Obj, ctx: Context) -> None:
        if self._terminating:
            raise method_not_allowed("create not allowed while custom resource definition is terminating")
        super().prepare_create(obj, ctx)
        # The status was dropped; Kubernetes shows what the schema says of an absent one ("Waiting for controller").
        apply_defaults(obj, self.schema)

    def desired_state(self, obj: Obj) -> Obj:
        if self.has_status:
            return super().desired_state(obj)
        return {key: value for key, value in obj.items() if key not in ("metadata", "apiVersion", "kind")}

    def validate_schema(self, obj: Obj, old: Obj | None) -> Sequence[Cause]:
        return self._validator.validate(obj, MISSING if old is None else old)

    def selectable_fields(self, obj: Obj) -> Mapping[str, str]:
        return {name: _selectable_text(path.first(obj)) for name, path in self._selectable.items()}

    def columns(self) -> Sequence[Column]:
        return self._columns.columns

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return self._columns.row(obj, now)


def kinds_of(crd: Obj, meta: Schema) -> list[CustomKind]:
    """One kind per served version of a valid CRD, by the names it was accepted under. `meta` is ObjectMeta's schema."""
    spec = crd["spec"]
    named = (crd.get("status") or {}).get("acceptedNames") or spec["names"]
    storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
    terminating = bool(metadata(crd).get("deletionTimestamp"))
    schemas = {
        version["name"]: object_schema((version.get("schema") or {}).get("openAPIV3Schema"), meta)
        for version in spec["versions"]
        if version.get("served") or version.get("storage")
    }
    kinds = []
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        gvr = GVR(spec["group"], version["name"], named["plural"])
        resource = Resource(
            gvr=gvr,
            kind=named["kind"],
            singular=named.get("singular") or named["kind"].lower(),
            namespaced=spec["scope"] == "Namespaced",
            list_kind=named.get("listKind") or f"{named['kind']}List",
            storage_version=storage,
            short_names=tuple(named.get("shortNames") or ()),
            categories=tuple(named.get("categories") or ()),
            subresources=_subresources(version.get("subresources") or {}, GVK(gvr.group, gvr.version, named["kind"])),
        )
        schema = schemas[version["name"]]
        schema.group_version_kind = resource.gvk
        kinds.append(
            CustomKind(
                resource,
                schema,
                version,
                terminating=terminating,
                stored_schema=schemas[storage],
                defined_at=int(metadata(crd).get("resourceVersion") or 0),
            )
        )
    return kinds


def _subresources(declared: Obj, gvk: GVK) -> tuple[Subresource, ...]:
    found = []
    if declared.get("scale") is not None:
        found.append(Subresource("scale", GVK("autoscaling", "v1", "Scale"), _CHANGE))
    if declared.get("status") is not None:
        found.append(Subresource("status", gvk, _CHANGE))
    return tuple(found)


def _deprecation(resource: Resource, version: Obj) -> str:
    if not version.get("deprecated"):
        return ""
    said = version.get("deprecationWarning")
    return said or f"{resource.gvr.group_version} {resource.kind} is deprecated"


def _selectable_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)

"""The built-in kinds, ready for the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.kinds.resources import RESOURCES
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.layout import Layout
from lateen.cluster.objects import GVK


class Schemas(Protocol):
    """Where the schemas of built-in kinds come from (`schema.builtin.BuiltinSchemas`)."""

    def for_gvk(self, gvk: GVK, /) -> Schema: ...


_CLASSES: Mapping[tuple[str, str], type[Kind]] = {}


def builtin_kinds(schemas: Schemas, layout: Layout) -> list[Kind]:
    """One `Kind` per resource and version, preferred versions first."""
    return [
        _CLASSES.get(resource.group_resource, Kind)(resource, schemas.for_gvk(resource.gvk)) for resource in RESOURCES
    ]

"""Server-side printing: objects as `meta.k8s.io Table`, with the columns that their kind declares."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.negotiation import Representation
from lateen.cluster.objects import Obj, metadata


def table(kind: Kind, objects: Iterable[Obj], list_metadata: Obj, shown: Representation, now: dt.datetime) -> Obj:
    """The objects (in the kind's version) as a table."""
    return {
        "kind": "Table",
        "apiVersion": shown.api_version,
        "metadata": list_metadata,
        "columnDefinitions": column_definitions(kind),
        "rows": [row(kind, obj, shown, now) for obj in objects],
    }


def column_definitions(kind: Kind) -> list[Obj]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in kind.columns()
    ]


def row(kind: Kind, obj: Obj, shown: Representation, now: dt.datetime) -> Obj:
    found: Obj = {"cells": kind.row(obj, now)}
    if shown.include_object == "Object":
        found["object"] = obj
    elif shown.include_object == "Metadata":
        found["object"] = partial_metadata(obj, shown)
    else:
        found["object"] = None
    return found


def partial_metadata(obj: Obj, shown: Representation) -> Obj:
    """The object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": shown.api_version, "metadata": metadata(obj)}

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from lateen.cluster.apiserver.kind import Column, Kind
from lateen.cluster.apiserver.negotiation import Representation
from lateen.cluster.apiserver.resource import Resource
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.apiserver.table import column_definitions, partial_metadata, row, table
from lateen.cluster.objects import GVR, Obj

NOW = dt.datetime(2026, 1, 1, 0, 5, tzinfo=dt.UTC)
BOAT = {
    "apiVersion": "yard/v1",
    "kind": "Boat",
    "metadata": {"name": "b", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {"size": 3},
}


class Boat(Kind):
    def columns(self) -> tuple[Column, ...]:
        return (Column("Name", format="name"), Column("Size", "integer", description="Berths.", priority=1))

    def row(self, obj: Obj, now: dt.datetime) -> list[Any]:
        return [obj["metadata"]["name"], obj["spec"]["size"]]


KIND = Boat(Resource(GVR("yard", "v1", "boats"), "Boat", "boat", True, "BoatList", "v1"), Schema(type="object"))


def test_columns() -> None:
    assert column_definitions(KIND) == [
        {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0},
        {"name": "Size", "type": "integer", "format": "", "description": "Berths.", "priority": 1},
    ]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_table(version: str) -> None:
    shown = Representation("Table", version)
    found = table(KIND, [BOAT], {"resourceVersion": "7"}, shown, NOW)
    assert (found["kind"], found["apiVersion"]) == ("Table", f"meta.k8s.io/{version}")
    assert found["metadata"] == {"resourceVersion": "7"}
    assert [r["cells"] for r in found["rows"]] == [["b", 3]]
    assert table(KIND, [], {}, shown, NOW)["rows"] == []


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("Object", BOAT),
        ("None", None),
        (
            "Metadata",
            {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": BOAT["metadata"]},
        ),
    ],
)
def test_what_a_row_carries(include: str, expected: Obj | None) -> None:
    assert row(KIND, BOAT, Representation("Table", "v1", include), NOW)["object"] == expected


def test_a_kind_without_columns_has_name_and_age() -> None:
    plain = Kind(KIND.resource, KIND.schema)
    assert [c["name"] for c in column_definitions(plain)] == ["Name", "Age"]
    assert row(plain, BOAT, Representation("Table"), NOW)["cells"] == ["b", "5m"]


def test_metadata_alone() -> None:
    found = partial_metadata(BOAT, Representation("PartialObjectMetadata", "v1"))
    assert found.keys() == {"kind", "apiVersion", "metadata"}

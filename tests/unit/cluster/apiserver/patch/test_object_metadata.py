from __future__ import annotations

from lateen.cluster.apiserver.patch.object_fields import structural_faults
from lateen.cluster.apiserver.patch.object_metadata import with_object_metadata
from lateen.cluster.apiserver.schema.schema import Schema


def test_describes_open_metadata_only(widget: Schema) -> None:
    full = with_object_metadata(widget)
    assert full.properties["metadata"].properties["finalizers"].list_type == "set"
    assert full.properties["spec"] is widget.properties["spec"]
    assert with_object_metadata(full) is full


def test_an_open_schema_stays_open() -> None:
    assert structural_faults({"kind": "K", "anything": 1}, with_object_metadata(Schema())) == []

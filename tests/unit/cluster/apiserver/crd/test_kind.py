"""The kinds that a definition makes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from lateen.cluster.apiserver.crd.kind import CustomKind, kinds_of
from lateen.cluster.apiserver.request import Context, RequestInfo, User
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.objects import GVR, Obj
from lateen.cluster.status import StatusError

NOW = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)


def crd(**version: Any) -> Obj:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {"size": {"type": "integer", "default": 1}, "big": {"type": "boolean"}},
            }
        },
    }
    return {
        "metadata": {"name": "boats.yard.example.com"},
        "spec": {
            "group": "yard.example.com",
            "scope": "Namespaced",
            "names": {"plural": "boats", "kind": "Boat", "shortNames": ["bo"], "categories": ["all"]},
            "versions": [
                {"name": "v1", "served": True, "storage": False, "schema": {"openAPIV3Schema": schema}, **version},
                {"name": "v2", "served": False, "storage": True, "schema": {"openAPIV3Schema": schema}},
            ],
        },
    }


@pytest.fixture
def context() -> Context:
    return Context(User("someone"), RequestInfo("/", "create"))


def kind(schemas: BuiltinSchemas, **version: Any) -> CustomKind:
    made = kinds_of(crd(**version), schemas.definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"))
    assert len(made) == 1
    return made[0]


def test_the_resource(schemas: BuiltinSchemas) -> None:
    resource = kind(schemas, subresources={"status": {}, "scale": SCALE}).resource
    assert resource.gvr == GVR("yard.example.com", "v1", "boats")
    assert (resource.singular, resource.list_kind, resource.storage_version) == ("boat", "BoatList", "v2")
    assert (resource.short_names, resource.categories, resource.namespaced) == (("bo",), ("all",), True)
    assert [subresource.name for subresource in resource.subresources] == ["scale", "status"]


SCALE = {
    "specReplicasPath": ".spec.size",
    "statusReplicasPath": ".status.size",
    "labelSelectorPath": ".status.selector",
}


def test_objects_are_defaulted_and_validated(schemas: BuiltinSchemas) -> None:
    boats = kind(schemas)
    obj: Obj = {"apiVersion": "yard.example.com/v1", "kind": "Boat", "metadata": {"name": "a"}, "spec": {}}
    boats.default(obj)
    assert obj["spec"] == {"size": 1}
    assert boats.validate_schema(obj, None) == []
    obj["spec"]["size"] = "big"
    assert [cause.field for cause in boats.validate_schema(obj, None)] == ["spec.size"]
    assert boats.validate_schema(obj, obj) == []


def test_a_new_object_has_the_default_status_whatever_its_author_said(
    schemas: BuiltinSchemas, context: Context
) -> None:
    status = {"type": "object", "properties": {"phase": {"type": "string"}}, "default": {"phase": "Waiting"}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"status": status}}}
    obj: Obj = {"metadata": {"name": "a"}, "status": {"phase": "Done"}}
    kind(schemas, subresources={"status": {}}, schema=schema).prepare_create(obj, context)
    assert obj["status"] == {"phase": "Waiting"}


def test_null_means_absent_in_metadata(schemas: BuiltinSchemas) -> None:
    boats = kind(schemas)
    meta = {"name": "a", "labels": None, "creationTimestamp": None, "annotations": {"a": "b"}}
    obj: Obj = {"apiVersion": "yard.example.com/v1", "kind": "Boat", "metadata": meta}
    assert boats.validate_schema(obj, None) == []
    boats.default(obj)
    assert obj["metadata"] == {"name": "a", "annotations": {"a": "b"}}
    obj["metadata"]["labels"] = {"a": 1}
    assert [cause.field for cause in boats.validate_schema(obj, None)] == ["metadata.labels.a"]


def test_versions_differ_in_their_name_alone(schemas: BuiltinSchemas) -> None:
    boats = kind(schemas)
    obj = {"apiVersion": "yard.example.com/v1", "kind": "Boat", "spec": {"size": 2}}
    stored = boats.to_storage(obj)
    assert stored["apiVersion"] == "yard.example.com/v2"
    assert boats.from_storage(stored) == obj


def test_columns(schemas: BuiltinSchemas) -> None:
    obj = {
        "metadata": {"name": "a", "creationTimestamp": "2026-01-31T10:00:00Z"},
        "spec": {"size": 3, "big": True, "hosts": ["x"], "f": 1.5},
    }
    plain = kind(schemas)
    assert [column.name for column in plain.columns()] == ["Name", "Age"]
    assert plain.row(obj, NOW) == ["a", "120m"]
    declared = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "priority": 1, "description": "how big"},
        {"name": "Big", "type": "boolean", "jsonPath": ".spec.big"},
        {"name": "Hosts", "type": "string", "jsonPath": ".spec.hosts"},
        {"name": "F", "type": "number", "jsonPath": ".spec.f"},
        {"name": "None", "type": "string", "jsonPath": ".status.none"},
        {"name": "When", "type": "date", "jsonPath": ".spec.size"},
        {"name": "Bad", "type": "date", "jsonPath": ".metadata.name"},
        {"name": "Wrong", "type": "integer", "jsonPath": ".metadata.name"},
    ]
    with_columns = kind(schemas, additionalPrinterColumns=declared)
    assert with_columns.row(obj, NOW) == ["a", 3, True, '["x"]', 1.5, None, None, "<invalid>", None]
    size = with_columns.columns()[1]
    assert (size.name, size.type, size.priority, size.description) == ("Size", "integer", 1, "how big")


def test_selectable_fields(schemas: BuiltinSchemas) -> None:
    boats = kind(schemas, selectableFields=[{"jsonPath": ".spec.size"}, {"jsonPath": ".spec.big"}])
    assert boats.selectable_fields({"spec": {"size": 3, "big": True}}) == {"spec.size": "3", "spec.big": "true"}
    assert boats.selectable_fields({}) == {"spec.size": "", "spec.big": ""}


def test_deprecated_versions_warn(schemas: BuiltinSchemas) -> None:
    assert kind(schemas).deprecation == ""
    assert kind(schemas, deprecated=True).deprecation == "yard.example.com/v1 Boat is deprecated"
    assert kind(schemas, deprecated=True, deprecationWarning="use v2").deprecation == "use v2"


def test_generations_count_changes_of_the_spec(schemas: BuiltinSchemas, context: Context) -> None:
    old: Obj = {"metadata": {"generation": 1}, "spec": {"size": 1}, "status": {"x": 1}}
    boats = kind(schemas, subresources={"status": {}})
    new: Obj = {"metadata": {}, "spec": {"size": 1}, "status": {"x": 2}}
    boats.prepare_update(new, old, context)
    assert (new["metadata"]["generation"], new["status"]) == (1, {"x": 1})
    # Without the subresource, status is a field like any other.
    new = {"metadata": {}, "spec": {"size": 1}, "status": {"x": 2}}
    kind(schemas).prepare_update(new, old, context)
    assert (new["metadata"]["generation"], new["status"]) == (2, {"x": 2})


def test_scale(schemas: BuiltinSchemas) -> None:
    paths = kind(schemas, subresources={"scale": SCALE}).scale
    assert paths is not None
    obj: Obj = {"metadata": {"name": "a", "labels": {}}, "spec": {"size": 2}, "status": {"size": 1, "selector": "a=b"}}
    scale = paths.scale_of(obj)
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 1, "selector": "a=b"}
    assert scale["metadata"] == {"name": "a"}
    assert paths.scaled(obj, 5)["spec"] == {"size": 5}
    assert obj["spec"] == {"size": 2}
    assert paths.scaled({"metadata": {}}, 5)["spec"] == {"size": 5}
    with pytest.raises(StatusError, match="not a number"):
        paths.scale_of({"spec": {"size": "many"}})


def test_nothing_is_created_while_the_definition_goes(schemas: BuiltinSchemas, context: Context) -> None:
    going = crd()
    going["metadata"]["deletionTimestamp"] = "2026-01-31T10:00:00Z"
    boats = kinds_of(going, schemas.definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"))[0]
    with pytest.raises(StatusError, match="create not allowed") as caught:
        boats.prepare_create({"metadata": {}}, context)
    assert caught.value.code == 405


def test_what_was_stored_before_the_definition_is_read_by_it(schemas: BuiltinSchemas) -> None:
    definition = crd()
    definition["metadata"]["resourceVersion"] = "10"
    made = kinds_of(definition, schemas.definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"))[0]

    def boat(version: str) -> Obj:
        meta = {"name": "b", "resourceVersion": version}
        return {"apiVersion": "yard.example.com/v2", "kind": "Boat", "metadata": meta, "spec": {"old": 1}}

    before, after = boat("9"), boat("10")
    assert not made.shows_as_stored(9)
    assert made.from_storage(before)["spec"] == {"size": 1}
    assert made.from_storage(before)["apiVersion"] == "yard.example.com/v1"
    assert before == boat("9")
    assert made.shows_as_stored(10)
    assert made.from_storage(after)["spec"] == {"old": 1}

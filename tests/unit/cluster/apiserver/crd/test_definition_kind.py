"""The kind of CustomResourceDefinitions."""

from __future__ import annotations

import pytest

from lateen.cluster.apiserver.crd.definition_kind import CLEANUP, DefinitionKind
from lateen.cluster.apiserver.kinds.resources import RESOURCES
from lateen.cluster.apiserver.request import Context, RequestInfo, User
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.conditions import is_true
from lateen.cluster.objects import Obj

CONTEXT = Context(User("someone"), RequestInfo("/", "create"))


@pytest.fixture
def kind(schemas: BuiltinSchemas) -> DefinitionKind:
    resource = next(r for r in RESOURCES if r.gvr.plural == "customresourcedefinitions")
    meta = schemas.definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
    return DefinitionKind(resource, schemas.for_gvk(resource.gvk), meta)


def crd() -> Obj:
    return {
        "metadata": {"name": "boats.yard.example.com"},
        "spec": {
            "group": "yard.example.com",
            "scope": "Cluster",
            "names": {"plural": "boats", "kind": "Boat"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    }


def test_defaults_and_creation(kind: DefinitionKind) -> None:
    obj = crd()
    kind.default(obj)
    assert obj["spec"]["names"] == {"plural": "boats", "kind": "Boat", "singular": "boat", "listKind": "BoatList"}
    assert obj["spec"]["conversion"] == {"strategy": "None"}
    kind.prepare_create(obj, CONTEXT)
    assert obj["status"]["storedVersions"] == ["v1"]
    assert kind.validate_create(obj, CONTEXT) == []


def test_defaults_leave_nonsense_to_validation(kind: DefinitionKind) -> None:
    for spec in (None, [], {"names": [], "conversion": 1}, {"names": {"kind": 1}}):
        kind.default({"spec": spec})


def test_every_storage_version_is_remembered(kind: DefinitionKind) -> None:
    old = crd()
    kind.default(old)
    kind.prepare_create(old, CONTEXT)
    new = crd()
    kind.default(new)
    new["spec"]["versions"][0]["storage"] = False
    new["spec"]["versions"].append({**new["spec"]["versions"][0], "name": "v2", "storage": True})
    kind.prepare_update(new, old, CONTEXT)
    assert new["status"]["storedVersions"] == ["v1", "v2"]
    assert old["status"]["storedVersions"] == ["v1"]
    assert new["metadata"]["generation"] == 2
    assert kind.validate_update(new, old, CONTEXT) == []


def test_a_deleted_definition_waits_for_its_objects(kind: DefinitionKind) -> None:
    obj = crd()
    kind.prepare_delete(obj)
    kind.prepare_delete(obj)
    assert obj["metadata"]["finalizers"] == [CLEANUP]
    assert is_true(obj, "Terminating")

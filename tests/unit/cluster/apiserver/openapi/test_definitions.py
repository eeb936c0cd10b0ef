"""Schemas as OpenAPI writes them."""

from __future__ import annotations

from typing import Any

from lateen.cluster.apiserver.crd.kind import CustomKind, kinds_of
from lateen.cluster.apiserver.openapi.definitions import V2, V3, builtin_definition, closure, custom_definitions
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas

META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
POD = "io.k8s.api.core.v1.PodSpec"


def boats(schemas: BuiltinSchemas, props: dict[str, Any]) -> CustomKind:
    crd = {
        "metadata": {"name": "boats.yard.example.com"},
        "spec": {
            "group": "yard.example.com",
            "scope": "Namespaced",
            "names": {"plural": "boats", "kind": "Boat"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": props}}],
        },
    }
    return kinds_of(crd, schemas.definition(META))[0]


def test_lists_carry_their_extensions(schemas: BuiltinSchemas) -> None:
    for dialect in (V2, V3):
        containers = builtin_definition(schemas.definition(POD), dialect)["properties"]["containers"]
        assert containers["type"] == "array"
        assert containers["x-kubernetes-list-type"] == "map"
        assert containers["x-kubernetes-list-map-keys"] == ["name"]
        assert containers["x-kubernetes-patch-merge-key"] == "name"
        assert containers["x-kubernetes-patch-strategy"] == "merge"
        assert containers["description"].startswith("List of containers")


def test_references(schemas: BuiltinSchemas) -> None:
    spec = schemas.definition(POD)
    assert builtin_definition(spec, V2)["properties"]["affinity"]["$ref"] == "#/definitions/io.k8s.api.core.v1.Affinity"
    in_v3 = builtin_definition(spec, V3)["properties"]["affinity"]
    assert in_v3["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.core.v1.Affinity"}]
    assert "description" in in_v3


def test_kinds_name_themselves(schemas: BuiltinSchemas) -> None:
    deployment = builtin_definition(schemas.definition("io.k8s.api.apps.v1.Deployment"), V3)
    gvk = {"group": "apps", "kind": "Deployment", "version": "v1"}
    assert deployment["x-kubernetes-group-version-kind"] == [gvk]


def test_every_reference_leads_somewhere(schemas: BuiltinSchemas) -> None:
    for dialect in (V2, V3):
        definitions = {name: builtin_definition(schema, dialect) for name, schema in schemas.definitions()}
        assert set(dialect.referenced(definitions)) <= set(definitions)


def test_the_closure_is_all_that_is_needed(schemas: BuiltinSchemas) -> None:
    definitions = {name: builtin_definition(schema, V3) for name, schema in schemas.definitions()}
    found = closure(["io.k8s.api.core.v1.ConfigMap"], definitions, V3)
    assert META in found
    assert POD not in found
    assert set(V3.referenced(found)) <= set(found)


def test_custom_resources(schemas: BuiltinSchemas) -> None:
    kind = boats(schemas, {"type": "object", "description": "floats", "properties": {"spec": {"type": "object"}}})
    definitions = custom_definitions(kind, V3)
    boat = definitions["com.example.yard.v1.Boat"]
    assert boat["properties"]["metadata"]["allOf"] == [{"$ref": f"#/components/schemas/{META}"}]
    assert boat["description"] == "floats"
    listed = definitions["com.example.yard.v1.BoatList"]
    assert listed["properties"]["items"]["items"] == {"$ref": "#/components/schemas/com.example.yard.v1.Boat"}


def test_v2_leaves_out_what_it_cannot_say(schemas: BuiltinSchemas) -> None:
    props = {
        "type": "object",
        "oneOf": [{"required": ["spec"]}],
        "properties": {
            "spec": {"type": "object", "nullable": True, "properties": {"a": {"type": "string"}}},
            "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "name": {"type": "string", "default": "x", "x-kubernetes-validations": [{"rule": "true"}]},
        },
    }
    kind = boats(schemas, props)
    in_v2 = custom_definitions(kind, V2)["com.example.yard.v1.Boat"]["properties"]
    assert in_v2["spec"] == {}
    assert in_v2["port"] == {"x-kubernetes-int-or-string": True}
    assert in_v2["any"] == {"x-kubernetes-preserve-unknown-fields": True}
    assert in_v2["name"] == {"type": "string"}
    in_v3 = custom_definitions(kind, V3)["com.example.yard.v1.Boat"]
    assert in_v3["properties"]["port"] == props["properties"]["port"]
    assert in_v3["oneOf"] == props["oneOf"]

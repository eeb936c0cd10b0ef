"""Finding and dropping fields that a schema does not specify."""

from __future__ import annotations

from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.apiserver.schema.json_schema import parse
from lateen.cluster.apiserver.schema.pruning import prune, unknown_fields
from lateen.cluster.objects import GVK


def test_paths_are_those_that_kubectl_prints(schemas: BuiltinSchemas) -> None:
    obj = {
        "metadata": {"labels": {"anything": "goes"}, "nope": 1},
        "spec": {"replicas": 1, "foo": {}, "template": {"spec": {"containers": [{"name": "a"}, {"imag": "b"}]}}},
    }
    deployment = schemas.for_gvk(GVK("apps", "v1", "Deployment"))
    expected = ["metadata.nope", "spec.foo", "spec.template.spec.containers[1].imag"]
    assert unknown_fields(obj, deployment) == expected
    assert "foo" in obj["spec"]
    assert prune(obj, deployment) == expected
    assert unknown_fields(obj, deployment) == []
    assert obj["spec"]["template"]["spec"]["containers"] == [{"name": "a"}, {}]


def test_below_preserved_fields_specified_ones_are_looked_into() -> None:
    schema = parse(
        {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"known": {"type": "object", "properties": {"a": {"type": "string"}}}},
        }
    )
    obj = {"free": {"x": 1}, "known": {"a": "1", "b": "2"}}
    assert prune(obj, schema) == ["known.b"]
    assert obj == {"free": {"x": 1}, "known": {"a": "1"}}


def test_maps_have_no_unknown_keys() -> None:
    schema = parse({"type": "object", "additionalProperties": {"type": "object", "properties": {}}})
    assert prune({"a": {"x": 1}}, schema) == ["a.x"]
    assert prune({"a": {"x": 1}}, parse({"type": "object", "additionalProperties": True})) == []


def test_values_of_the_wrong_type_are_left_to_validation() -> None:
    schema = parse({"type": "object", "properties": {"list": {"type": "array", "items": {"type": "object"}}}})
    assert prune({"list": "text"}, schema) == []
    assert prune({"list": [1, None, "x"]}, schema) == []

"""The schemas of built-in kinds."""

from __future__ import annotations

import pytest

from lateen.cluster.apiserver.kinds.resources import RESOURCES
from lateen.cluster.apiserver.schema import model_facts
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.objects import GVK


def field(schema: Schema, path: str) -> Schema:
    for name in path.split("."):
        if name == "[]":
            assert schema.items is not None
            schema = schema.items
        else:
            schema = schema.properties[name]
    return schema


def test_every_built_in_resource_has_a_schema(schemas: BuiltinSchemas) -> None:
    for resource in RESOURCES:
        assert schemas.for_gvk(resource.gvk).group_version_kind == tuple(resource.gvk)


def test_an_unknown_kind_is_a_key_error(schemas: BuiltinSchemas) -> None:
    with pytest.raises(KeyError):
        schemas.for_gvk(GVK("apps", "v1", "Nonsense"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("io.k8s.api.core.v1.PodSpec", "object"),
        ("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "object"),
        ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps", "object"),
        ("io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService", "object"),
        ("io.k8s.apimachinery.pkg.api.resource.Quantity", "string"),
        ("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", "string"),
    ],
)
def test_definitions_have_the_names_of_kubernetes(schemas: BuiltinSchemas, name: str, kind: str) -> None:
    definition = schemas.definition(name)
    assert definition.definition == name
    assert definition.type == kind


def test_lists_know_how_their_elements_are_told_apart(schemas: BuiltinSchemas) -> None:
    deployment = schemas.for_gvk(GVK("apps", "v1", "Deployment"))
    spec = field(deployment, "spec.template.spec")
    ports = field(spec, "containers.[].ports")
    assert (ports.list_type, ports.list_map_keys) == ("map", ("containerPort", "protocol"))
    assert (ports.patch_strategy, ports.patch_merge_key) == (("merge",), "containerPort")
    assert field(spec, "volumes").patch_strategy == ("merge", "retainKeys")
    assert field(spec, "tolerations").list_type == "atomic"
    assert field(spec, "nodeSelector").map_type == "atomic"
    assert field(deployment, "spec.selector").map_type == "atomic"
    assert field(deployment, "spec.strategy").patch_strategy == ("retainKeys",)
    assert field(deployment, "metadata.finalizers").list_type == "set"
    volume = schemas.for_gvk(GVK("", "v1", "PersistentVolume"))
    assert field(volume, "spec.claimRef").map_type == "granular"


def test_every_fact_is_about_a_field_that_exists(schemas: BuiltinSchemas) -> None:
    known = {
        f"{name.rpartition('.')[2]}.{child}" for name, schema in schemas.definitions() for child in schema.properties
    }
    stated = [
        *model_facts.LISTS,
        *model_facts.ATOMIC_FIELDS,
        *model_facts.GRANULAR_FIELDS,
        *model_facts.OBJECT_PATCH_STRATEGIES,
        *model_facts.QUANTITY_MAPS,
        *model_facts.BYTE_MAPS,
        *(fact for table in (model_facts.INT64, model_facts.BYTES) for fact in table if not fact.startswith(".")),
    ]
    assert [fact for fact in stated if fact not in known] == []


def test_value_types(schemas: BuiltinSchemas) -> None:
    service = schemas.for_gvk(GVK("", "v1", "Service"))
    assert field(service, "spec.ports.[].targetPort").int_or_string
    assert field(service, "spec.ports.[].port").format == "int32"
    pod = schemas.for_gvk(GVK("", "v1", "Pod"))
    limits = field(pod, "spec.containers.[].resources.limits")
    assert limits.additional is not None
    assert limits.additional.format == "quantity"
    assert field(pod, "spec.terminationGracePeriodSeconds").format == "int64"
    assert field(pod, "metadata.creationTimestamp").format == "date-time"
    secret = schemas.for_gvk(GVK("", "v1", "Secret"))
    assert secret.properties["data"].additional is not None
    assert secret.properties["data"].additional.format == "byte"
    policy = schemas.for_gvk(GVK("networking.k8s.io", "v1", "NetworkPolicy"))
    assert "from" in field(policy, "spec.ingress.[]").properties


def test_schemas_may_be_recursive(schemas: BuiltinSchemas) -> None:
    props = schemas.definition("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
    nested = props.properties["not"].properties["allOf"].items
    assert nested is not None
    assert "x-kubernetes-validations" in nested.properties


def test_descriptions_are_those_of_the_field(schemas: BuiltinSchemas) -> None:
    pod = schemas.for_gvk(GVK("", "v1", "Pod"))
    assert field(pod, "spec.containers").description.startswith("List of containers belonging to the pod.")
    assert "\n" not in field(pod, "spec.containers").description

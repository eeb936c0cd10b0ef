"""What makes a CustomResourceDefinition right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lateen.cluster.apiserver.crd.definition_validation import change_faults, definition_faults
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.objects import Obj, deep_copy
from lateen.cluster.status import Cause

SCHEMA = "spec.versions[0].schema.openAPIV3Schema"
FEATURES: Obj = {
    "type": "object",
    "description": "All that real operators use.",
    "required": ["spec"],
    "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "x-kubernetes-validations": [
                {"rule": "!has(self.max) || self.min <= self.max", "message": "min must not exceed max"},
                {"rule": "!has(oldSelf.class) || self.class == oldSelf.class", "message": "class is immutable"},
            ],
            "properties": {
                "class": {"type": "string", "minLength": 1, "maxLength": 253, "default": "plain"},
                "min": {"type": "integer", "format": "int32", "minimum": 0, "default": 1},
                "max": {"type": "integer", "format": "int64"},
                "port": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
                "limits": {
                    "type": "object",
                    "additionalProperties": {
                        "anyOf": [{"type": "integer"}, {"type": "string"}],
                        "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE])?$",
                        "x-kubernetes-int-or-string": True,
                    },
                },
                "listeners": {
                    "type": "array",
                    "maxItems": 64,
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string"},
                            "protocol": {"type": "string", "enum": ["TCP", "UDP"], "default": "TCP"},
                        },
                    },
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name", "protocol"],
                    "x-kubernetes-validations": [{"rule": "self.all(l, self.exists_one(m, m.name == l.name))"}],
                },
                "raw": {"x-kubernetes-preserve-unknown-fields": True},
                "template": {
                    "type": "object",
                    "x-kubernetes-embedded-resource": True,
                    "x-kubernetes-preserve-unknown-fields": True,
                },
                "until": {"type": "string", "format": "date-time", "nullable": True},
            },
            "oneOf": [{"not": {"anyOf": [{"required": ["raw"]}, {"required": ["template"]}]}}, {"required": ["raw"]}],
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


def crd() -> Obj:
    return {
        "metadata": {"name": "boats.yard.example.com"},
        "spec": {
            "group": "yard.example.com",
            "scope": "Namespaced",
            "names": {"plural": "boats", "singular": "boat", "kind": "Boat", "listKind": "BoatList"},
            "conversion": {"strategy": "None"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": deep_copy(FEATURES)},
                    "subresources": {
                        "status": {},
                        "scale": {"specReplicasPath": ".spec.min", "statusReplicasPath": ".status.min"},
                    },
                    "additionalPrinterColumns": [
                        {
                            "name": "Ready",
                            "type": "string",
                            "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
                        },
                        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                    ],
                    "selectableFields": [{"jsonPath": ".spec.class"}],
                },
                {
                    "name": "v1beta1",
                    "served": True,
                    "storage": False,
                    "deprecated": True,
                    "deprecationWarning": "use v1",
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                },
            ],
        },
    }


@pytest.fixture
def check(schemas: BuiltinSchemas) -> Callable[[Obj], list[Cause]]:
    meta = schemas.definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
    return lambda obj: definition_faults(obj, meta)


def test_what_operators_bring_is_accepted(check: Callable[[Obj], list[Cause]]) -> None:
    assert check(crd()) == []


def set_at(obj: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        obj = obj[key]
    if value is ...:
        del obj[path[-1]]
    else:
        obj[path[-1]] = value


V1 = ("spec", "versions", 0)
PROPS = (*V1, "schema", "openAPIV3Schema")


@pytest.mark.parametrize(
    ("path", "value", "field", "message"),
    [
        (("metadata", "name"), "x", "metadata.name", 'Invalid value: "x": must be spec.names.plural+"."+spec.group'),
        (("spec", "group"), "yard", "spec.group", 'Invalid value: "yard": should be a domain with at least one dot'),
        (
            ("spec", "scope"),
            "Galaxy",
            "spec.scope",
            'Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"',
        ),
        (("spec", "versions"), [], "spec.versions", "Required value: must have at least one version"),
        ((*V1, "storage"), False, "spec.versions", "must have exactly one version marked as storage version"),
        (("spec", "versions", 1, "name"), "v1", "spec.versions", "must contain unique version names"),
        (("spec", "names", "listKind"), "Boat", "spec.names.listKind", "kind and listKind may not be the same"),
        (("spec", "names", "kind"), "B_", "spec.names.kind", "may have mixed case, but should otherwise match"),
        (("spec", "names", "shortNames"), ["B"], "spec.names.shortNames[0]", "a DNS-1035 label must consist"),
        (("spec", "preserveUnknownFields"), True, "spec.preserveUnknownFields", "cannot set to true"),
        (
            ("spec", "conversion", "strategy"),
            "Webhook",
            "spec.conversion.strategy",
            "conversion webhooks are not supported",
        ),
        ((*V1, "schema"), ..., SCHEMA, "Required value: schemas are required"),
        ((*PROPS, "type"), "array", f"{SCHEMA}.type", "must be object at the root"),
        (
            (*PROPS, "properties", "spec", "properties", "min", "default"),
            "one",
            f"{SCHEMA}.properties[spec].properties[min].default",
            "must be of type integer",
        ),
        (
            (*PROPS, "properties", "spec", "properties", "class", "default"),
            None,
            f"{SCHEMA}.properties[spec].properties[class].default",
            "must not be null",
        ),
        (
            (*PROPS, "properties", "spec", "x-kubernetes-validations"),
            [{"rule": "self.min +"}],
            f"{SCHEMA}.properties[spec].x-kubernetes-validations[0].rule",
            "compilation failed: ERROR: <input>:1:11: Syntax error",
        ),
        (
            (*V1, "additionalPrinterColumns", 0, "jsonPath"),
            "status",
            "spec.versions[0].additionalPrinterColumns[0].jsonPath",
            "is an invalid path",
        ),
        (
            (*V1, "additionalPrinterColumns", 0, "type"),
            "text",
            "spec.versions[0].additionalPrinterColumns[0].type",
            "must be one of integer,number,string,boolean,date",
        ),
        (
            (*V1, "subresources", "scale", "specReplicasPath"),
            ".status.x",
            "spec.versions[0].subresources.scale.specReplicasPath",
            "should be a json path under .spec",
        ),
        (
            (*V1, "selectableFields", 0, "jsonPath"),
            ".spec.raw",
            "spec.versions[0].selectableFields[0].jsonPath",
            "must point to",
        ),
        (("spec", "versions", 1, "deprecated"), False, "spec.versions[1].deprecationWarning", "can only be set for"),
    ],
)
def test_faults(
    check: Callable[[Obj], list[Cause]], path: tuple[Any, ...], value: Any, field: str, message: str
) -> None:
    obj = crd()
    set_at(obj, path, value)
    assert any(cause.field == field and message in cause.message for cause in check(obj)), check(obj)


def test_groups_of_kubernetes_need_an_approval(check: Callable[[Obj], list[Cause]]) -> None:
    obj = crd()
    obj["spec"]["group"] = "yard.k8s.io"
    obj["metadata"]["name"] = "boats.yard.k8s.io"
    assert [cause.field for cause in check(obj)] == ["metadata.annotations[api-approved.kubernetes.io]"]
    obj["metadata"]["annotations"] = {"api-approved.kubernetes.io": "https://example.com/pull/1"}
    assert check(obj) == []


def test_a_conversion_webhook_that_is_never_called_does_no_harm(check: Callable[[Obj], list[Cause]]) -> None:
    obj = crd()
    obj["spec"]["conversion"]["strategy"] = "Webhook"
    assert [cause.field for cause in check(obj)] == ["spec.conversion.strategy"]
    obj["spec"]["versions"][1]["served"] = False
    assert check(obj) == []


def test_what_an_update_may_not_change() -> None:
    old, new = crd(), crd()
    new["spec"]["scope"] = "Cluster"
    new["spec"]["names"]["kind"] = "Ship"
    assert change_faults(new, old) == []
    old["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
    assert [cause.field for cause in change_faults(new, old)] == ["spec.scope", "spec.names.kind"]
    new["spec"]["group"] = "other.example.com"
    assert change_faults(new, old)[0].message == 'Invalid value: "other.example.com": field is immutable'


def test_stored_versions_must_have_a_version() -> None:
    obj = crd()
    obj["status"] = {"storedVersions": ["v1", "v0"]}
    assert [(c.field, c.message) for c in change_faults(obj, crd())] == [
        ("status.storedVersions[1]", 'Invalid value: "v0": must appear in spec.versions')
    ]

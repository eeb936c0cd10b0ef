"""A definition that uses what real ones use: defaults, rules, lists as maps, columns, versions, subresources."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

_SCHEMA = """
      type: object
      properties:
        spec:
          type: object
          required: [berths]
          x-kubernetes-validations:
          - {rule: "!has(self.pilot) || self.berths.exists(b, b.deep)", message: a pilot needs deep water}
          - {rule: "has(self.harbour) == has(oldSelf.harbour)", message: the harbour stays}
          properties:
            harbour:
              type: string
              x-kubernetes-validations: [{rule: self == oldSelf, message: Value is immutable}]
            pilot: {type: string, maxLength: 8, pattern: '^[a-z]+$'}
            kind: {type: string, enum: [Cargo, Ferry], default: Cargo}
            fee: {anyOf: [{type: integer}, {type: string}], x-kubernetes-int-or-string: true}
            replicas: {type: integer, default: 1, minimum: 0}
            berths:
              type: array
              maxItems: 4
              x-kubernetes-list-type: map
              x-kubernetes-list-map-keys: [name]
              items:
                type: object
                required: [name]
                properties:
                  name: {type: string, description: What the berth is called.}
                  deep: {type: boolean, default: false}
            flags: {type: array, x-kubernetes-list-type: set, items: {type: string}}
            notes: {type: object, x-kubernetes-preserve-unknown-fields: true}
            mooring:
              type: object
              properties: {rope: {type: object, additionalProperties: {type: integer}}}
              oneOf: [{required: [rope]}]
        status:
          type: object
          default: {phase: Waiting}
          properties:
            phase: {type: string}
            replicas: {type: integer}
            conditions:
              type: array
              x-kubernetes-list-type: map
              x-kubernetes-list-map-keys: [type]
              items: {type: object, x-kubernetes-preserve-unknown-fields: true, required: [type],
                properties: {type: {type: string}, status: {type: string}}}
"""


def _definition(group: str) -> str:
    def version(name: str, stored: bool) -> str:
        return f"""
  - name: {name}
    served: true
    storage: {str(stored).lower()}
    subresources: {{status: {{}}, scale: {{specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}}}
    selectableFields: [{{jsonPath: .spec.kind}}]
    additionalPrinterColumns:
    - {{name: Kind, type: string, jsonPath: .spec.kind}}
    - {{name: Moored, type: string, jsonPath: '.status.conditions[?(@.type=="Moored")].status'}}
    - {{name: Berths, type: string, jsonPath: '.spec.berths[*].name', priority: 1}}
    - {{name: Age, type: date, jsonPath: .metadata.creationTimestamp}}
    schema:
     openAPIV3Schema:{_SCHEMA}"""

    return f"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: quays.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{plural: quays, singular: quay, kind: Quay, listKind: QuayList, shortNames: [qy], categories: [port-things]}}
  versions:{version("v1beta1", False)}{version("v1", True)}
"""


@dataclass(frozen=True)
class Quays:
    group: str
    namespace: str

    @property
    def path(self) -> str:
        return f"/apis/{self.group}/v1/namespaces/{self.namespace}/quays"

    def manifest(self, name: str, spec: str, version: str = "v1") -> str:
        return (
            f"apiVersion: {self.group}/{version}\nkind: Quay\n"
            f"metadata: {{name: {name}, namespace: {self.namespace}}}\nspec: {spec}\n"
        )


@pytest.fixture
def quays(cluster: LocalCluster, namespace: str) -> Iterator[Quays]:
    """The definition under a group of its own, so that tests beside this one have theirs."""
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=_definition(group))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/quays.{group}", "--timeout=60s")
    yield Quays(group, namespace)
    cluster.kubectl("delete", "crd", f"quays.{group}", "--ignore-not-found", "--wait=false")


def test_objects_are_defaulted_pruned_printed_and_gone_with_their_definition(
    cluster: LocalCluster, quays: Quays
) -> None:
    n = ("-n", quays.namespace)
    plural = f"quays.{quays.group}"
    spec = "{berths: [{name: a, deep: true}, {name: b}], fee: 5%, notes: {any: [1, {x: z}]}, harbour: h}"
    cluster.apply(quays.manifest("one", spec, "v1beta1"))
    found = cluster.get(plural, "one", *n)
    assert found["apiVersion"] == f"{quays.group}/v1"
    assert found["spec"]["kind"] == "Cargo"
    assert found["spec"]["berths"] == [{"name": "a", "deep": True}, {"name": "b", "deep": False}]
    assert found["spec"]["notes"] == {"any": [1, {"x": "z"}]}
    assert found["status"] == {"phase": "Waiting"}
    assert found["metadata"]["generation"] == 1

    strange = quays.manifest("two", "{berths: [{name: a, colour: red}], kind: Ferry}")
    refused = cluster.try_kubectl("apply", "-f", "-", stdin=strange)
    assert re.search(r'unknown field "(spec\.berths\[0\]\.)?colour"', refused.stderr)
    warning = f"{quays.path}?fieldValidation=Warn"
    warned = cluster.try_kubectl("create", "--raw", warning, "-f", "-", stdin=json.dumps(yaml.safe_load(strange)))
    assert 'unknown field "spec.berths[0].colour"' in warned.stderr
    assert cluster.get(plural, "two", *n)["spec"]["berths"] == [{"name": "a", "deep": False}]

    status = {"status": {"conditions": [{"type": "Moored", "status": "True"}], "replicas": 1}}
    change = ("patch", plural, "one", *n, "--type=merge", "-p")
    assert "no change" in cluster.kubectl(*change, json.dumps(status))
    found = cluster.get(plural, "one", *n)
    found["status"] |= status["status"]
    cluster.kubectl("replace", "--raw", f"{quays.path}/one/status", "-f", "-", stdin=json.dumps(found))
    cluster.kubectl("wait", "--for=condition=Moored", f"{plural}/one", *n, "--timeout=30s")
    assert cluster.get(plural, "one", *n)["metadata"]["generation"] == 1
    lines = [line.split() for line in cluster.kubectl("get", f"qy.{quays.group}", *n, "-o", "wide").splitlines()]
    assert lines[0] == ["NAME", "KIND", "MOORED", "BERTHS", "AGE"]
    # A column shows the first of what its path finds.
    assert lines[1][:4] == ["one", "Cargo", "True", "a"]
    assert lines[2][:2] == ["two", "Ferry"]
    assert cluster.kubectl("get", plural, *n, "-o", "name", "--field-selector=spec.kind=Ferry").split() == [
        f"quay.{quays.group}/two"
    ]
    assert f"quay.{quays.group}/one" in cluster.kubectl("get", "port-things", *n, "-o", "name")
    cluster.kubectl("scale", f"{plural}/one", "--replicas=3", *n)
    assert cluster.get(plural, "one", *n)["spec"]["replicas"] == 3
    explained = cluster.kubectl("explain", "quays.spec.berths", f"--api-version={quays.group}/v1")
    assert "name\t<string> -required-" in explained
    assert "What the berth is called." in explained

    cluster.kubectl("delete", "crd", plural, "--timeout=60s")
    assert "the server doesn't have a resource type" in cluster.try_kubectl("get", plural, *n).stderr
    # The same definition again: nothing of before is left.
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=_definition(quays.group))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{plural}", "--timeout=60s")
    assert cluster.get(plural, *n)["items"] == []


@pytest.mark.parametrize(
    ("spec", "messages"),
    [
        ("{}", ["spec.berths: Required value"]),
        ("{berths: [], kind: Barge}", ['spec.kind: Unsupported value: "Barge": supported values: "Cargo", "Ferry"']),
        ("{berths: [{name: a}, {name: a}]}", ['spec.berths[1]: Duplicate value: {"name":"a"}']),
        ("{berths: [], flags: [a, a]}", ['spec.flags[1]: Duplicate value: "a"']),
        ("{berths: [{name: a}], pilot: jo}", ['spec: Invalid value: "object": a pilot needs deep water']),
        ("{berths: [], pilot: TOOLONGNAME}", ["spec.pilot: Too long: may not be more than 8 bytes"]),
        ("{berths: [], pilot: J}", ["should match '^[a-z]+$'"]),
        ("{berths: [], replicas: -1, fee: 1.5}", ["greater than or equal to 0", "spec.fee"]),
        ("{berths: [], mooring: {}}", ["spec.mooring.rope: Required value"]),
        ("{berths: [], mooring: {rope: {a: b}}}", ["spec.mooring.rope.a", "must be of type integer"]),
    ],
)
def test_invalid_objects_are_located(
    cluster: LocalCluster, shared_quays: Quays, spec: str, messages: list[str]
) -> None:
    # Clients before 1.25 would find some faults by themselves.
    refused = cluster.try_kubectl("create", "--validate=false", "-f", "-", stdin=shared_quays.manifest("bad", spec))
    assert refused.returncode == 1
    assert 'The Quay "bad" is invalid' in refused.stderr
    for message in messages:
        assert message in refused.stderr


@pytest.fixture(scope="module")
def shared_quays(cluster: LocalCluster) -> Iterator[Quays]:
    """For tests that create nothing."""
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    cluster.apply(_definition(group))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/quays.{group}", "--timeout=60s")
    yield Quays(group, "default")
    cluster.kubectl("delete", "crd", f"quays.{group}", "--wait=false")


def test_rules_of_change_and_shared_ownership(cluster: LocalCluster, quays: Quays) -> None:
    n = ("-n", quays.namespace)
    plural = f"quays.{quays.group}"
    cluster.apply(quays.manifest("one", "{berths: [{name: a}], harbour: h}"))
    moved = cluster.try_kubectl("patch", plural, "one", *n, "--type=merge", "-p", '{"spec":{"harbour":"other"}}')
    assert 'spec.harbour: Invalid value: "string": Value is immutable' in moved.stderr
    gone = cluster.try_kubectl("patch", plural, "one", *n, "--type=merge", "-p", '{"spec":{"harbour":null}}')
    assert "the harbour stays" in gone.stderr

    def applied(manager: str, spec: str, *more: str) -> str:
        done = cluster.try_kubectl(
            "apply", "--server-side", "--field-manager", manager, *more, "-f", "-", stdin=quays.manifest("two", spec)
        )
        return done.stdout + done.stderr

    applied("left", "{berths: [{name: a, deep: true}], kind: Ferry}")
    assert "serverside-applied" in applied("right", "{berths: [{name: b}]}")
    assert [b["name"] for b in cluster.get(plural, "two", *n)["spec"]["berths"]] == ["a", "b"]
    assert 'conflict with "left"' in applied("right", "{berths: [{name: b}], kind: Cargo}")
    applied("right", "{berths: [{name: b}], kind: Cargo}", "--force-conflicts")
    applied("left", "{berths: []}")
    spec = cluster.get(plural, "two", *n)["spec"]
    assert ([b["name"] for b in spec["berths"]], spec["kind"]) == (["b"], "Cargo")


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"properties": {"a": {"type": "string"}}}, "properties[spec].type: Required value"),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}},
                "x-kubernetes-validations": [{"rule": "self.nothing"}],
            },
            "undefined field 'nothing'",
        ),
        ({"type": "array", "items": {"type": "string"}, "default": [1]}, "properties[spec].default"),
        ({"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "string"}}, "x-kubernetes-list-map-keys"),
    ],
)
def test_a_bad_definition_is_refused(cluster: LocalCluster, schema: Any, message: str) -> None:
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    whole = {"type": "object", "properties": {"spec": schema}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": whole}}
    names = {"plural": "quays", "kind": "Quay"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"quays.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
    refused = cluster.try_kubectl("apply", "-f", "-", stdin=json.dumps(definition))
    assert refused.returncode == 1
    assert message in refused.stderr

"""The definitions: their shape, by Kubernetes' rules (as the local cluster's API server has them) and by Istio's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import re2
import yaml

from lateen.api.crds import crds
from lateen.api.kinds import MESH_KINDS
from lateen.api.schema.duration import parse_duration
from lateen.cluster.apiserver.crd.definition_validation import definition_faults
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas

META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


@pytest.fixture(scope="module")
def definitions() -> dict[str, dict[str, Any]]:
    return {crd["spec"]["names"]["kind"]: crd for crd in crds()}


def schema(definition: dict[str, Any], path: str = "") -> dict[str, Any]:
    """The schema of the spec, or of a field in it: `http[].match[].uri`."""
    found = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for step in filter(None, path.split(".")):
        found = found["properties"][step.removesuffix("[]").removesuffix("{}")]
        if step.endswith("[]"):
            found = found["items"]
        if step.endswith("{}"):
            found = found["additionalProperties"]
    assert isinstance(found, dict)
    return found


def test_kubernetes_takes_them_all(definitions: dict[str, dict[str, Any]]) -> None:
    meta = BuiltinSchemas.load().definition(META)
    assert [fault for crd in definitions.values() for fault in definition_faults(crd, meta)] == []


def test_there_is_one_for_every_kind_of_the_mesh(definitions: dict[str, dict[str, Any]]) -> None:
    assert list(definitions) == [kind.kind for kind in MESH_KINDS]
    assert {crd["metadata"]["name"] for crd in definitions.values()} == {
        "virtualservices.networking.istio.io",
        "destinationrules.networking.istio.io",
        "gateways.networking.istio.io",
        "serviceentries.networking.istio.io",
        "sidecars.networking.istio.io",
        "workloadentries.networking.istio.io",
        "workloadgroups.networking.istio.io",
        "proxyconfigs.networking.istio.io",
        "envoyfilters.networking.istio.io",
        "peerauthentications.security.istio.io",
        "requestauthentications.security.istio.io",
        "authorizationpolicies.security.istio.io",
        "telemetries.telemetry.istio.io",
        "wasmplugins.extensions.istio.io",
        "trafficextensions.extensions.istio.io",
    }


@pytest.mark.parametrize(
    ("kind", "versions", "stored"),
    [
        ("VirtualService", ["v1", "v1beta1", "v1alpha3"], "v1"),
        ("EnvoyFilter", ["v1alpha3"], "v1alpha3"),
        ("ProxyConfig", ["v1beta1"], "v1beta1"),
        ("PeerAuthentication", ["v1", "v1beta1"], "v1"),
        ("Telemetry", ["v1", "v1alpha1"], "v1alpha1"),
        ("WasmPlugin", ["v1alpha1"], "v1alpha1"),
    ],
)
def test_they_are_served_as_istio_serves_them(
    definitions: dict[str, dict[str, Any]], kind: str, versions: list[str], stored: str
) -> None:
    found = definitions[kind]["spec"]["versions"]
    assert [version["name"] for version in found] == versions
    assert [version["name"] for version in found if version["storage"]] == [stored]
    assert all(version["served"] and version["subresources"] == {"status": {}} for version in found)
    assert all(version["schema"] == found[0]["schema"] for version in found)


def test_they_have_the_names_and_columns_that_people_type_and_read(definitions: dict[str, dict[str, Any]]) -> None:
    spec = definitions["VirtualService"]["spec"]
    assert spec["names"] == {
        "kind": "VirtualService",
        "listKind": "VirtualServiceList",
        "plural": "virtualservices",
        "singular": "virtualservice",
        "shortNames": ["vs"],
        "categories": ["istio-io", "networking-istio-io"],
    }
    columns = spec["versions"][0]["additionalPrinterColumns"]
    assert [(column["name"], column["jsonPath"]) for column in columns] == [
        ("Gateways", ".spec.gateways"),
        ("Hosts", ".spec.hosts"),
        ("Age", ".metadata.creationTimestamp"),
    ]
    shorts = {name: crd["spec"]["names"].get("shortNames") for name, crd in definitions.items()}
    assert {name: short[0] for name, short in shorts.items() if short} == {
        "VirtualService": "vs",
        "DestinationRule": "dr",
        "Gateway": "gw",
        "ServiceEntry": "se",
        "WorkloadEntry": "we",
        "WorkloadGroup": "wg",
        "ProxyConfig": "pc",
        "PeerAuthentication": "pa",
        "RequestAuthentication": "ra",
        "AuthorizationPolicy": "ap",
        "Telemetry": "telemetry",
    }


def test_a_spec_is_required_where_something_in_it_is(definitions: dict[str, dict[str, Any]]) -> None:
    roots = {
        name: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].get("required")
        for name, crd in definitions.items()
    }
    assert roots["WasmPlugin"] == roots["TrafficExtension"] == roots["WorkloadGroup"] == ["spec"]
    assert roots["AuthorizationPolicy"] is None


def without_description(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key != "description"}


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("WasmPlugin", "priority", {"type": "integer", "format": "int32", "nullable": True}),
        ("WasmPlugin", "pluginConfig", {"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
        ("WasmPlugin", "sha256", {"type": "string", "pattern": "(^$|^[a-f0-9]{64}$)"}),
        ("WasmPlugin", "pluginName", {"type": "string", "minLength": 1, "maxLength": 256}),
        ("WasmPlugin", "match[].ports[].number", {"type": "integer", "minimum": 1, "maximum": 65535}),
        ("Telemetry", "tracing[].disableSpanReporting", {"type": "boolean", "nullable": True}),
        (
            "Telemetry",
            "tracing[].randomSamplingPercentage",
            {"type": "number", "format": "double", "minimum": 0, "maximum": 100, "nullable": True},
        ),
        ("ProxyConfig", "concurrency", {"type": "integer", "format": "int32", "minimum": 0, "nullable": True}),
        ("Gateway", "servers[].port.number", {"type": "integer", "minimum": 0, "maximum": 4294967295}),
        (
            "RequestAuthentication",
            "jwtRules[].timeout",
            {
                "type": "string",
                "pattern": r"^([-+]?(([0-9]+\.?[0-9]*|\.[0-9]+)(h|m|s|ms|us|µs|μs|ns))+|[-+]?0)$",
                "x-kubernetes-validations": [
                    {"rule": "duration(self) >= duration('1ms')", "message": "must be a duration of at least 1ms"}
                ],
            },
        ),
        ("AuthorizationPolicy", "action", {"type": "string", "enum": ["ALLOW", "DENY", "AUDIT", "CUSTOM"]}),
    ],
)
def test_fields_have_their_constraints(
    definitions: dict[str, dict[str, Any]], kind: str, path: str, expected: dict[str, Any]
) -> None:
    assert without_description(schema(definitions[kind], path)) == expected


@pytest.mark.parametrize(
    "text", ["5s", "1.5s", "1h30m", "100ms", "0", "-1s", ".5s", "1.s", "5", "", "x", "5 s", "1h 5m", "s"]
)
def test_durations_are_what_the_parser_reads(definitions: dict[str, dict[str, Any]], text: str) -> None:
    pattern = schema(definitions["RequestAuthentication"], "jwtRules[].timeout")["pattern"]
    try:
        parse_duration(text)
        is_duration = True
    except ValueError:
        is_duration = False
    assert (re2.search(pattern, text) is not None) == is_duration


def test_members_of_a_oneof_exclude_each_other(definitions: dict[str, dict[str, Any]]) -> None:
    either = [{"required": ["metric"]}, {"required": ["customMetric"]}]
    match = schema(definitions["Telemetry"], "metrics[].overrides[].match")
    assert match["oneOf"] == [{"not": {"anyOf": either}}, *either]
    hashed = schema(definitions["DestinationRule"], "trafficPolicy.loadBalancer.consistentHash")
    assert [set(group) for group in hashed["allOf"]] == [{"oneOf"}, {"oneOf"}]


def test_lists_with_keys_say_so(definitions: dict[str, dict[str, Any]]) -> None:
    ports = schema(definitions["WasmPlugin"], "match[]")["properties"]["ports"]
    assert ports["x-kubernetes-list-type"] == "map"
    assert ports["x-kubernetes-list-map-keys"] == ["number"]


def test_old_names_that_the_definitions_always_had_are_there(definitions: dict[str, dict[str, Any]]) -> None:
    rule = schema(definitions["RequestAuthentication"], "jwtRules[]")["properties"]
    assert rule["jwks_uri"] == rule["jwksUri"]


def test_status_is_described_and_open(definitions: dict[str, dict[str, Any]]) -> None:
    root = definitions["ServiceEntry"]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    status = root["properties"]["status"]
    assert status["x-kubernetes-preserve-unknown-fields"] is True
    assert {"conditions", "validationMessages", "observedGeneration", "addresses"} == set(status["properties"])
    condition = status["properties"]["conditions"]["items"]["properties"]
    assert condition["lastTransitionTime"]["format"] == "date-time"
    assert condition["observedGeneration"]["x-kubernetes-int-or-string"] is True


def test_every_field_is_documented(definitions: dict[str, dict[str, Any]]) -> None:
    for name, definition in definitions.items():
        assert schema(definition)["description"], name
        assert [path for path, found in fields(schema(definition)) if not found.get("description")] == [], name


def fields(found: dict[str, Any], path: str = "spec") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, inner in found.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from fields(inner, f"{path}.{name}")
    for inner in (found.get("items"), found.get("additionalProperties")):
        if isinstance(inner, dict):
            yield from fields(inner, path)


def test_they_are_plain_yaml_and_always_the_same(definitions: dict[str, dict[str, Any]]) -> None:
    again = crds()
    assert again == list(definitions.values())
    text = yaml.safe_dump_all(again)
    assert "&id" not in text
    assert list(yaml.safe_load_all(text)) == again

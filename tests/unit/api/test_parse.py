from __future__ import annotations

import json
from typing import Any

import pytest

from lateen.api.kinds import KINDS, MESH_KINDS, kind_of
from lateen.api.kubernetes.service import Service
from lateen.api.networking.gateway import Gateway
from lateen.api.objects import Key, Object
from lateen.api.parse import LARGEST, parse, parse_as
from lateen.api.schema.fault import Severity
from lateen.api.security.request_authentication import RequestAuthentication

POLICY = {
    "apiVersion": "security.istio.io/v1",
    "kind": "RequestAuthentication",
    "metadata": {"name": "jwt", "namespace": "shop", "labels": {"a": "b"}, "generation": 3, "resourceVersion": "9"},
    "spec": {"jwtRules": [{"issuer": "me"}]},
    "status": {"conditions": []},
}


def changed(**fields: Any) -> dict[str, Any]:
    return {**POLICY, **fields}


def told(raw: Any) -> list[tuple[str, str]]:
    parsed = parse(raw)
    assert parsed.value is None
    assert not parsed.is_valid
    return [(fault.path, fault.message) for fault in parsed.faults]


@pytest.mark.parametrize("raw", [POLICY, json.dumps(POLICY).encode()])
def test_an_object_of_the_mesh_has_metadata_spec_and_key(raw: Any) -> None:
    parsed = parse(raw, cluster="east")
    assert parsed.kind is kind_of("security.istio.io/v1", "RequestAuthentication")
    assert parsed.key == Key("shop", "jwt", "east")
    assert parsed.faults == ()
    value: Object[RequestAuthentication] = parsed.value
    assert value.key == parsed.key
    assert value.metadata.labels == {"a": "b"}
    assert value.metadata.generation == 3
    assert value.spec.jwt_rules[0].issuer == "me"


def test_what_changes_by_itself_makes_no_other_value() -> None:
    again = changed(metadata={**POLICY["metadata"], "resourceVersion": "10"}, status={"observedGeneration": 3})
    assert parse(again).value == parse(POLICY).value


def test_an_object_of_kubernetes_is_the_type_itself() -> None:
    raw = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "reviews"},
        "spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 80, "targetPort": "http", "nodePort": 1}], "extra": 1},
    }
    parsed = parse(raw)
    assert parsed.key == Key("default", "reviews")
    assert isinstance(parsed.value, Service)
    assert parsed.value.metadata.namespace == "default"
    assert parsed.value.spec.ports[0].target_port == "http"


POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a", "namespace": "shop", "annotations": {"who": "me"}, "managedFields": [{"x": 1}]},
    "spec": {"containers": [{"name": "app", "livenessProbe": {"httpGet": {"port": "web"}}}]},
}


@pytest.mark.parametrize(
    "raw",
    [
        POD,
        {**POD, "metadata": {"name": "a"}},
        {**POD, "metadata": {"name": "a", "annotations": {"who": "Müller"}}},
        {**POD, "metadata": {"name": "a", "labels": None}},
        {**POD, "metadata": {"name": "A"}, "spec": 5},
        {**POD, "metadata": {"name": "a", "labels": 3}, "spec": 5},
        {**POD, "spec": {"containers": [{"ports": [{"containerPort": "80"}]}]}},
        {**POD, "kind": "Poddle"},
    ],
)
def test_text_and_what_it_decodes_to_are_the_same_object(raw: dict[str, Any]) -> None:
    assert parse(json.dumps(raw, ensure_ascii=False).encode(), "east") == parse(raw, "east")


def test_text_is_utf_8_in_fields_of_no_interest_too() -> None:
    assert told(json.dumps(POD).encode().replace(b'"x"', b'"\xff"'))[0][1].startswith("not JSON")


def test_cluster_scoped_objects_have_no_namespace() -> None:
    parsed = parse({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "namespace": "x"}})
    assert parsed.key == Key("", "n")
    assert parsed.is_valid


def test_items_of_a_list_do_not_say_what_they_are() -> None:
    kind = kind_of("v1", "Namespace")
    assert kind is not None
    assert parse_as(kind, {"metadata": {"name": "shop"}}).is_valid


def test_kinds_of_others_are_none_of_our_business() -> None:
    parsed = parse({"apiVersion": "apps/v9", "kind": "Whatever", "metadata": {"name": "a", "namespace": "b"}})
    assert parsed.kind is None
    assert parsed.key == Key("b", "a")
    assert parsed.faults == ()


@pytest.mark.parametrize(
    ("raw", "path", "message"),
    [
        (b"{", "", "not JSON"),
        (b"\xff", "", "not JSON"),
        (b"[]", "", "expected an object"),
        (b"[" * 100_000, "", "nested too deeply"),
        ({}, "apiVersion", "missing"),
        ({"apiVersion": "v1"}, "kind", "missing"),
        ({"apiVersion": 1, "kind": "Pod"}, "apiVersion", "expected a string"),
        (changed(apiVersion="security.istio.io/v3"), "apiVersion", "RequestAuthentication has no version v3; expected"),
        (changed(kind="RequestAuthn"), "kind", "security.istio.io has no kind RequestAuthn; expected one of PeerAuth"),
        (changed(metadata={}), "metadata.name", "missing"),
        (changed(metadata=None), "metadata.name", "missing"),
        (changed(metadata=[]), "metadata", "expected an object, got a list"),
        (changed(metadata={"name": 5}), "metadata.name", "expected a string, got 5"),
        (changed(metadata={"name": "A b"}), "metadata.name", "expected at most 253 lower-case letters"),
        (changed(metadata={"name": "a" * 254}), "metadata.name", "expected at most 253"),
        (changed(metadata={"name": "a", "namespace": "x.y"}), "metadata.namespace", "expected at most 63"),
        (changed(metadata={"name": "a", "labels": {"a": 1}}), "metadata.labels[a]", "expected a string, got 1"),
        (changed(specs={}), "specs", "unknown field"),
        (changed(spec=[]), "spec", "expected an object, got a list"),
        (changed(spec={"jwtRules": [{}]}), "spec.jwtRules[0].issuer", "missing: issuer or jwksUri is required"),
    ],
)
def test_bad_objects_are_told_of(raw: Any, path: str, message: str) -> None:
    ((where, what),) = told(raw)
    assert where == path
    assert what.startswith(message)


def test_text_beyond_all_bounds_is_not_read() -> None:
    ((path, message),) = told(b" " * (LARGEST + 1))
    assert path == ""
    assert message == f"the object has {LARGEST + 1} bytes; at most {LARGEST} are read"


def test_a_large_object_is_read() -> None:
    hosts = [f"host-{number}.example.com" for number in range(20_000)]
    raw = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "big"},
        "spec": {"servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": hosts}]},
    }
    value: Object[Gateway] = parse(json.dumps(raw).encode()).value
    assert len(value.spec.servers[0].hosts) == 20_000


def test_warnings_do_not_keep_an_object_out() -> None:
    parsed = parse(changed(spec={"selector": {}}))
    assert parsed.is_valid
    assert [(fault.path, fault.severity) for fault in parsed.faults] == [("spec.selector", Severity.WARNING)]


def test_a_spec_may_be_left_out_where_nothing_in_it_is_required() -> None:
    raw = {key: value for key, value in POLICY.items() if key != "spec"}
    assert parse(raw).value.spec == RequestAuthentication()
    raw = {**raw, "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin"}
    assert told(raw) == [("spec.url", "missing: a string is required")]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_kind_can_be_found_and_decoded(kind: Any) -> None:
    for version in kind.api_versions:
        assert kind_of(version, kind.kind) is kind
    assert kind.plural == kind.plural.lower()
    assert (kind.spec is None) != (kind.value is None)
    parsed = parse_as(kind, {"metadata": {"name": "a"}, "spec": 5})
    assert not parsed.is_valid or not hasattr(parsed.value, "spec")


def test_no_two_kinds_share_a_name() -> None:
    assert len({(kind.group, kind.kind) for kind in KINDS}) == len(KINDS)
    assert len({(kind.group, kind.plural) for kind in KINDS}) == len(KINDS)
    shorts = [name for kind in MESH_KINDS for name in kind.short_names]
    assert len(set(shorts)) == len(shorts)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"conditions": [{"type": "Reconciled", "status": "True"}, {"type": "Healthy", "status": "False"}]}, "False"),
        ({"conditions": [{"type": "Healthy"}]}, None),
        ({"conditions": [7, {"type": [], "status": {}}]}, None),
        ({"conditions": "Healthy"}, None),
        ("Healthy", None),
        (None, None),
    ],
)
def test_conditions_that_the_mesh_goes_by(status: Any, expected: str | None) -> None:
    raw = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "WorkloadEntry",
        "metadata": {"name": "vm"},
        "spec": {"address": "10.0.0.1"},
        "status": status,
    }
    assert parse(raw).value.conditions == ((("Healthy", expected),) if expected else ())

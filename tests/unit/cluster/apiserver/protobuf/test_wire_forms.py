from __future__ import annotations

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.apiserver.protobuf.decoder import MalformedError, ProtobufDecoder
from lateen.cluster.apiserver.protobuf.field_table import load_messages

MAGIC = b"k8s\0"
DECODER = ProtobufDecoder(load_messages())


def decode(data: bytes) -> dict[str, Any]:
    return DECODER.decode(data)


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def field(number: int, value: Any) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body(api_version: str, kind: str, *parts: bytes) -> bytes:
    return MAGIC + field(1, field(1, api_version) + field(2, kind)) + field(2, b"".join(parts))


def entry(key: str, value: Any) -> bytes:
    return field(1, key) + field(2, value)


def test_a_config_map_as_a_go_client_sends_it() -> None:
    metadata = field(1, "a") + field(2, "") + field(3, "ns") + field(8, b"") + field(11, entry("app", "web"))
    sent = body("v1", "ConfigMap", field(1, metadata), field(2, entry("k", "v")), field(3, entry("b", b"\0\1")))
    assert decode(sent) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "ns", "labels": {"app": "web"}},
        "data": {"k": "v"},
        "binaryData": {"b": "AAE="},
    }


def test_zero_stays_where_it_says_something() -> None:
    spec = field(1, 0) + field(4, field(1, "RollingUpdate") + field(2, field(1, field(1, 1) + field(3, "25%"))))
    found = decode(body("apps/v1", "Deployment", field(2, spec)))
    assert found["spec"]["replicas"] == 0
    assert found["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": "25%"}


def test_inlined_messages_lists_and_quantities() -> None:
    limits = field(1, entry("cpu", field(1, "500m")))
    port = field(2, 0) + field(3, 8080) + field(4, "TCP")
    volume = field(1, "scratch") + field(2, field(2, b""))
    probe = field(1, field(2, field(1, "/") + field(2, field(1, 0) + field(2, 80)))) + field(2, 5)
    container = (
        field(1, "main") + field(3, "sh") + field(3, "-c") + field(6, port) + field(8, limits) + field(10, probe)
    )
    found = decode(body("v1", "Pod", field(2, field(1, volume) + field(2, container))))
    assert found["spec"]["volumes"] == [{"name": "scratch", "emptyDir": {}}]
    assert found["spec"]["containers"] == [
        {
            "name": "main",
            "command": ["sh", "-c"],
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "resources": {"limits": {"cpu": "500m"}},
            "livenessProbe": {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 5},
        }
    ]


def test_times_negative_numbers_and_extra_values() -> None:
    at = field(1, 1_700_000_000)
    found = decode(body("v1", "Pod", field(1, field(8, at) + field(10, -1))))
    assert found["metadata"] == {"creationTimestamp": "2023-11-14T22:13:20Z", "deletionGracePeriodSeconds": -1}
    review = field(2, field(5, entry("scopes", field(1, "a") + field(1, "b"))))
    found = decode(body("authorization.k8s.io/v1", "SubjectAccessReview", review))
    assert found["spec"]["extra"] == {"scopes": ["a", "b"]}


def test_a_custom_resource_definition_with_the_unions_of_its_schemas() -> None:
    text = field(5, "string")
    half = varint(11 << 3 | 1) + struct.pack("<d", 0.5)
    whole = varint(9 << 3 | 1) + struct.pack("<d", 5.0)
    properties = {
        "size": field(5, "number") + whole + half + field(8, field(1, b"1")),
        "tags": field(5, "array") + field(24, field(1, text)) + field(42, "set"),
        "pair": field(24, field(2, text) + field(2, text)),
        "open": field(30, field(1, 1)),
        "closed": field(30, field(1, 0)),
        "labels": field(30, field(1, 1) + field(2, text)),
        "modes": field(20, field(1, b'"a"')) + field(20, field(1, b"2")),
        "ruled": field(44, field(1, "self > 0")) + field(32, entry("x", field(2, "y"))),
    }
    schema = b"".join(field(29, entry(name, found)) for name, found in properties.items())
    version = field(1, "v1") + field(2, 1) + field(3, 0) + field(4, field(1, schema)) + field(5, field(1, b""))
    spec = field(1, "example.com") + field(3, field(1, "things") + field(4, "Thing")) + field(7, version)
    found = decode(body("apiextensions.k8s.io/v1", "CustomResourceDefinition", field(2, spec)))["spec"]
    assert found["versions"][0].pop("schema")["openAPIV3Schema"]["properties"] == {
        "size": {"type": "number", "maximum": 5, "minimum": 0.5, "default": 1},
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "pair": {"items": [{"type": "string"}, {"type": "string"}]},
        "open": {"additionalProperties": True},
        "closed": {"additionalProperties": False},
        "labels": {"additionalProperties": {"type": "string"}},
        "modes": {"enum": ["a", 2]},
        "ruled": {"x-kubernetes-validations": [{"rule": "self > 0"}], "dependencies": {"x": ["y"]}},
    }
    assert found == {
        "group": "example.com",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "served": True, "storage": False, "subresources": {"status": {}}}],
    }


def test_every_message_that_a_field_names_is_known() -> None:
    messages = load_messages()
    named = {
        field.type.removeprefix("[]").removeprefix("{}").rpartition(":")[2]
        for fields in messages.values()
        for field in fields.values()
    }
    assert {name for name in named if "." in name} <= set(messages)


def test_fields_of_newer_clients_are_dropped() -> None:
    assert decode(body("v1", "Secret", field(900, "x"), field(3, "Opaque"))) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{}", "expected prefix"),
        (MAGIC + b"\x0a\xff", "EOF"),
        (MAGIC + b"\x0a\x7f", "EOF"),
        (body("v1", "Nonsense"), "Nonsense"),
        (body("v1", "Pod", field(1, 5)), "expected bytes"),
        (body("v1", "Pod", field(1, field(1, b"\xff"))), "UTF-8"),
    ],
)
def test_what_cannot_be_decoded_says_so(data: bytes, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        decode(data)


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_read_but_nothing_else(data: bytes) -> None:
    for sent in (MAGIC + data, body("v1", "Pod", data), body("apps/v1", "Deployment", data)):
        with contextlib.suppress(MalformedError):
            decode(sent)

"""The protobuf encoding of v2 documents, read back field by field."""

from __future__ import annotations

import struct
from collections import defaultdict

from lateen.cluster.apiserver.openapi import gnostic

Fields = dict[int, list[int | bytes]]


def fields(data: bytes) -> Fields:
    found: Fields = defaultdict(list)
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        match tag & 7:
            case 0:
                found[tag >> 3].append(varint())
            case 1:
                found[tag >> 3].append(data[at : at + 8])
                at += 8
            case 2:
                size = varint()
                found[tag >> 3].append(data[at : at + size])
                at += size
    return found


def only(found: Fields, number: int) -> bytes:
    (value,) = found[number]
    assert isinstance(value, bytes)
    return value


def named(data: bytes) -> tuple[str, Fields]:
    found = fields(data)
    return only(found, 1).decode(), fields(only(found, 2))


DOCUMENT = {
    "swagger": "2.0",
    "info": {"title": "T", "version": "v1"},
    "paths": {
        "/api/v1/pods/{name}": {
            "patch": {
                "operationId": "patchPod",
                "consumes": ["application/json"],
                "parameters": [
                    {"name": "dryRun", "in": "query", "type": "string", "description": "d"},
                    {"name": "body", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Pod"}},
                ],
                "responses": {"200": {"description": "OK", "schema": {"$ref": "#/definitions/Pod"}}},
                "x-kubernetes-action": "patch",
            },
            "parameters": [{"name": "name", "in": "path", "required": True, "type": "string", "description": "n"}],
        }
    },
    "definitions": {
        "Pod": {
            "type": "object",
            "description": "ü" * 100,
            "required": ["spec"],
            "maximum": 1.5,
            "minLength": 300,
            "uniqueItems": True,
            "enum": ["a"],
            "properties": {"list": {"type": "array", "items": {"type": "string"}}},
            "additionalProperties": {"type": "integer"},
            "x-kubernetes-group-version-kind": [{"group": "", "kind": "Pod", "version": "v1"}],
        }
    },
}


def test_definitions() -> None:
    document = fields(gnostic.encode(DOCUMENT))
    assert only(document, 1) == b"2.0"
    name, pod = named(only(fields(only(document, 9)), 1))
    assert name == "Pod"
    assert only(pod, 4).decode() == "ü" * 100
    assert struct.unpack("<d", only(pod, 7)) == (1.5,)
    assert (pod[12], pod[16], pod[19]) == ([300], [1], [b"spec"])
    assert only(fields(only(pod, 20)), 2) == b'"a"\n'
    assert only(fields(only(fields(only(fields(only(pod, 21)), 1)), 22)), 1) == b"integer"
    child, listed = named(only(fields(only(pod, 25)), 1))
    assert child == "list"
    assert only(fields(only(fields(only(fields(only(listed, 23)), 1)), 22)), 1) == b"string"
    extension, value = named(only(pod, 31))
    assert extension == "x-kubernetes-group-version-kind"
    assert only(value, 2) == b'[{"group":"","kind":"Pod","version":"v1"}]\n'


def test_paths() -> None:
    document = fields(gnostic.encode(DOCUMENT))
    path, item = named(only(fields(only(document, 8)), 2))
    assert path == "/api/v1/pods/{name}"
    patch = fields(only(item, 8))
    assert only(patch, 5) == b"patchPod"
    assert patch[7] == [b"application/json"]
    query, body = (fields(only(fields(p), 1)) for p in patch[8] if isinstance(p, bytes))
    in_query = fields(only(fields(only(query, 2)), 3))
    assert (in_query[2], in_query[4], in_query[6]) == ([b"query"], [b"dryRun"], [b"string"])
    in_body = fields(only(body, 1))
    assert (in_body[2], in_body[4]) == ([b"body"], [1])
    assert only(fields(only(in_body, 5)), 1) == b"#/definitions/Pod"
    code, response = named(only(fields(only(patch, 9)), 1))
    assert code == "200"
    assert only(fields(only(response, 1)), 1) == b"OK"
    assert named(only(patch, 13))[0] == "x-kubernetes-action"
    in_path = fields(only(fields(only(fields(only(fields(only(item, 9)), 1)), 2)), 4))
    assert (in_path[1], in_path[4], in_path[5]) == ([1], [b"name"], [b"string"])

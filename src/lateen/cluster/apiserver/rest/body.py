"""Request bodies: bounded reading, content types, decoding."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from aiohttp import web

from lateen.cluster.apiserver.protobuf.decoder import MEDIA_TYPE, MalformedError, ProtobufDecoder
from lateen.cluster.apiserver.protobuf.field_table import load_messages
from lateen.cluster.apiserver.rest.yaml_body import load_yaml
from lateen.cluster.objects import Obj
from lateen.cluster.status import bad_request, too_large, unsupported_media_type

MAX_BODY = 3 * 1024 * 1024
"""Bytes of a request's body (k8s.io/apiserver `MaxRequestBodyBytes`)."""
_MAX_DEPTH = 200
_JSON = "application/json"
_YAML = "application/yaml"
_PROTOBUF = ProtobufDecoder(load_messages())


async def read_body(http: web.Request) -> bytes:
    """The whole body. Raises StatusError 413."""
    try:
        body = await http.read()
    except web.HTTPRequestEntityTooLarge:
        raise too_large(MAX_BODY) from None
    if len(body) > MAX_BODY:
        raise too_large(MAX_BODY)
    return body


async def read_object(http: web.Request, duplicates: list[str] | None = None) -> Obj:
    """The body as an object. Fields it has twice go to `duplicates`. Raises StatusError 400, 413, 415."""
    body = await read_body(http)
    found = decode_value(body, media_type(http), [] if duplicates is None else duplicates)
    if not isinstance(found, dict):
        raise bad_request("the request body is not an object")
    return found


def media_type(http: web.Request) -> str:
    """The body's media type; JSON where the client says nothing."""
    return http.headers.get("Content-Type", _JSON).partition(";")[0].strip().lower() or _JSON


def decode_value(body: bytes, content_type: str, duplicates: list[str]) -> Any:
    """Decodes JSON, YAML or protobuf. Raises StatusError 400, 415."""
    if content_type.endswith("+json") or content_type in (_JSON, "text/plain", "application/octet-stream"):
        return _decode_json(body, duplicates)
    if content_type.endswith("+yaml") or content_type in (_YAML, "text/yaml", "application/x-yaml"):
        # JSON is YAML, and far quicker to read; kubectl sends it as apply patches.
        if body[:1] == b"{":
            try:
                return _decode_json(body, duplicates)
            except msgspec.DecodeError:
                pass
        return _bounded(load_yaml(body, duplicates, _MAX_DEPTH))
    if content_type == MEDIA_TYPE:
        try:
            return _PROTOBUF.decode(body)
        except MalformedError as error:
            raise bad_request(str(error)) from None
    raise unsupported_media_type(
        "the body of the request was in an unknown format - "
        f"accepted media types include: {_JSON}, {_YAML}, {MEDIA_TYPE}"
    )


def _decode_json(body: bytes, duplicates: list[str]) -> Any:
    try:
        found = msgspec.json.decode(body)
        # Every key and string takes two quotes: when as many come out as went in, nothing was there twice.
        if msgspec.json.encode(found).count(b'"') != body.count(b'"'):
            _find_duplicates(body, duplicates)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from None
    return _bounded(found) if body.count(b"{") + body.count(b"[") > _MAX_DEPTH else found


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its keys as written."""


def _find_duplicates(body: bytes, duplicates: list[str]) -> None:
    _walk_pairs(json.loads(body, object_pairs_hook=_Pairs), "", duplicates)


def _walk_pairs(value: Any, path: str, duplicates: list[str]) -> None:
    if isinstance(value, _Pairs):
        seen = set()
        for key, child in value:
            below = f"{path}.{key}" if path else key
            if key in seen:
                duplicates.append(below)
            seen.add(key)
            _walk_pairs(child, below, duplicates)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _walk_pairs(child, f"{path}[{index}]", duplicates)


def _bounded(value: Any) -> Any:
    """Refuses nesting deeper than anything real, which recursive code further on could not bear."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        parents = [parent for parent in level if isinstance(parent, (dict, list))]
        if not parents:
            return value
        level = [child for parent in parents for child in (parent.values() if isinstance(parent, dict) else parent)]
    raise bad_request("the request body is nested too deeply")

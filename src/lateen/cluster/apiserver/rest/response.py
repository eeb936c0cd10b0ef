"""HTTP answers: JSON bodies, errors as `Status`, compression of large bodies."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import msgspec
from aiohttp import web

from lateen.cluster.apiserver.negotiation import wants_yaml
from lateen.cluster.objects import Obj
from lateen.cluster.status import StatusError

JSON = "application/json"
_COMPRESSED_FROM = 128 * 1024
"""Bytes from which a body is worth compressing (k8s.io/apiserver)."""


def json_response(obj: Obj, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(obj), status=status, content_type=JSON)


def status_response(error: StatusError) -> web.Response:
    """A failure, as clients of Kubernetes expect it."""
    response = json_response(error.to_json(), error.code)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def body_response(http: web.Request, body: bytes, status: int = 200, content_type: str = JSON) -> web.Response:
    """A body that is encoded already; compressed where the client takes that and it is large."""
    response = web.Response(status=status, content_type=content_type)
    takes_gzip = "gzip" in http.headers.get("Accept-Encoding", "")
    # What is written anew as YAML must be readable.
    if takes_gzip and len(body) >= _COMPRESSED_FROM and not wants_yaml(http.headers.get("Accept", "")):
        compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
        body = compressor.compress(body) + compressor.flush()
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
    response.body = body
    return response


def warning_headers(warnings: Iterable[str]) -> list[str]:
    """Values of `Warning` headers (RFC 7234, code 299): at most 4 KiB in all, as k8s.io/apiserver bounds them.

    Only where they are longer together is each cut to 256 characters, and then the last ones may be missing.
    """
    cleaned = ["".join(c if c.isprintable() else " " for c in text) for text in warnings]
    if sum(map(len, cleaned)) > 4096:
        cleaned = [text[:256] for text in cleaned]
    values: list[str] = []
    left = 4096
    for clean in cleaned:
        escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
        left -= len(clean)
        if left < 0:
            break
        values.append(f'299 - "{escaped}"')
    return values

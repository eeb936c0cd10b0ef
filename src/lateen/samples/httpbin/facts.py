"""What a request looked like to the server, as JSON."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web
from multidict import MultiMapping

Style = Literal["go", "python"]
STYLE = web.AppKey("style", str)


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: as it came, and as what it says it is."""

    data: str = ""
    form: Any = None
    files: Any = None
    parsed: Any = None


def name_of(header: str) -> str:
    """`x-request-id` -> `X-Request-Id`, whatever the client or a proxy made of it."""
    return "-".join(part.capitalize() for part in header.split("-"))


def _multiple(values: MultiMapping[str], style: str) -> dict[str, Any]:
    """Go's shape has a list for every name; Python's only where a name came more than once."""
    found = {key: values.getall(key) for key in dict.fromkeys(values.keys())}
    if style == "go":
        return dict(found)
    return {key: each[0] if len(each) == 1 else each for key, each in found.items()}


def arguments(request: web.Request) -> dict[str, Any]:
    return _multiple(request.query, request.app[STYLE])


def headers(request: web.Request) -> dict[str, Any]:
    found: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        found.setdefault(name_of(name), []).append(value)
    if request.app[STYLE] == "go":
        return dict(sorted(found.items()))
    return {name: ",".join(values) for name, values in sorted(found.items())}


def origin(request: web.Request) -> str:
    """Who asks: the first address of X-Forwarded-For (Python's shape: all of them), else the connection's."""
    told = request.headers.get("X-Forwarded-For", "")
    if told:
        return told.split(",")[0].strip() if request.app[STYLE] == "go" else told
    return (request.remote or "").removeprefix("::ffff:")


def url(request: web.Request) -> str:
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
    return f"{scheme}://{request.host}{request.raw_path}"


def _text(data: bytes, content_type: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"data:{content_type or 'application/octet-stream'};base64,{base64.b64encode(data).decode()}"


async def body(request: web.Request) -> Body:
    """Reads the body. Raises HTTPRequestEntityTooLarge, HTTPBadRequest for a form that is none."""
    if request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        try:
            given = await request.post()
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"form: {error}\n") from error
        form: dict[str, list[str]] = {}
        files: dict[str, list[str]] = {}
        for key, value in given.items():
            if isinstance(value, web.FileField):
                files.setdefault(key, []).append(_text(value.file.read(), value.content_type))
            else:
                form.setdefault(key, []).append(value if isinstance(value, str) else _text(bytes(value), ""))
        return Body(form=_shaped(form, request), files=_shaped(files, request))
    data = await request.read()
    try:
        parsed = json.loads(data) if data else None
    except ValueError:
        parsed = None
    return Body(data=_text(data, request.content_type), parsed=parsed)


def _shaped(values: dict[str, list[str]], request: web.Request) -> dict[str, Any]:
    if request.app[STYLE] == "go":
        return dict(values)
    return {key: each[0] if len(each) == 1 else each for key, each in values.items()}


def short(request: web.Request) -> dict[str, Any]:
    """What /get tells."""
    told = {"args": arguments(request), "headers": headers(request)}
    method = {"method": request.method} if request.app[STYLE] == "go" else {}
    return {**told, **method, "origin": origin(request), "url": url(request)}


async def whole(request: web.Request) -> dict[str, Any]:
    """What /post and /anything tell."""
    came = await body(request)
    return {
        **short(request),
        "method": request.method,
        "data": came.data,
        "files": came.files or {},
        "form": came.form or {},
        "json": came.parsed,
    }

"""JSON as httpbin writes it, and numbers out of paths."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web


def json_answer(value: Any, status: int = 200) -> web.Response:
    """Indented, so that `curl` alone is readable."""
    return web.json_response(value, status=status, dumps=lambda it: json.dumps(it, indent=2, ensure_ascii=False) + "\n")


def bounded(text: str, name: str, lowest: float, highest: float) -> float:
    """A number out of a path or a query. Raises HTTPBadRequest that names it."""
    try:
        value = float(text)
    except ValueError:
        value = highest + 1
    if not lowest <= value <= highest:
        raise web.HTTPBadRequest(text=f"{name} is {text!r}; expected a number from {lowest:g} to {highest:g}\n")
    return value

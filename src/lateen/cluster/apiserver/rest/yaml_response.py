"""Answers in YAML, for clients that ask for it (`Accept: application/yaml`)."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import yaml
from aiohttp import web

from lateen.cluster.apiserver.negotiation import YAML
from lateen.cluster.apiserver.rest.response import JSON

_MISREAD = re.compile(r"[-+.0-9=<]|(?:y|n|yes|no|on|off|true|false|null|~)$", re.IGNORECASE)
"""Strings that one reader of YAML or another takes for something else when they stand without quotes."""


class _Dumper(yaml.CSafeDumper):
    """Neither aliases nor surprises: what may be misread is quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if _MISREAD.match(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def in_yaml(response: web.StreamResponse) -> web.StreamResponse:
    """The same answer with its JSON body as YAML; streams and other bodies are left alone."""
    if not isinstance(response, web.Response) or response.content_type != JSON or not isinstance(response.body, bytes):
        return response
    value = msgspec.json.decode(response.body)
    body = yaml.dump(value, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, width=2**31 - 1)
    headers = {k: v for k, v in response.headers.items() if k not in ("Content-Type", "Content-Length")}
    return web.Response(body=body.encode(), status=response.status, headers=headers, content_type=YAML)

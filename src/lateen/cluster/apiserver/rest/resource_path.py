"""What a URL path and method ask for (k8s.io/apiserver `request.RequestInfo`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lateen.cluster.apiserver.request import RequestInfo

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = frozenset(("status", "finalize"))


@dataclass(frozen=True, slots=True)
class Target:
    """`info`, and what follows the subresource in the path."""

    info: RequestInfo
    tail: str = ""


def parse_target(method: str, path: str, query: Mapping[str, str]) -> Target:
    """Reads `/api/v1/...` and `/apis/GROUP/VERSION/...`; anything else is a non-resource path."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return Target(RequestInfo(path, method.lower()))
    namespace = ""
    watching = rest[0] == "watch" and len(rest) > 1
    if watching:
        # The old spelling of a watch: /api/v1/watch/...
        rest = rest[1:]
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    plural = rest[0]
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    # A proxied path keeps its trailing slash.
    tail = "".join("/" + part for part in rest[3:]) + ("/" if len(rest) > 2 and path.endswith("/") else "")
    verb = _VERBS.get(method, method.lower())
    if verb == "get" and (watching or _asks_watch(query)) and not subresource:
        verb = "watch"
    elif verb == "get" and not name:
        verb = "list"
    elif verb == "delete" and not name:
        verb = "deletecollection"
    if verb in ("list", "watch", "deletecollection") and not name:
        # Authorization for one object by name covers a list or watch of just that one.
        name = _selected_name(query.get("fieldSelector", ""))
    return Target(RequestInfo(path, verb, group, version, plural, namespace, name, subresource), tail)


def _asks_watch(query: Mapping[str, str]) -> bool:
    return "watch" in query and query["watch"].lower() not in ("false", "0", "f")


def _selected_name(selector: str) -> str:
    for clause in selector.split(","):
        field, equals, value = clause.replace("==", "=").partition("=")
        if equals and field.strip() == "metadata.name":
            return value.strip()
    return ""

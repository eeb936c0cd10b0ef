"""Discovery: which groups, versions and resources are served, as separate documents and aggregated.

Sources: `metav1.APIGroupList`, `metav1.APIResourceList`, `apidiscovery.k8s.io/v2`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.negotiation import parse_accept
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.resource import Resource, Subresource
from lateen.cluster.apiserver.rest.response import JSON, body_response
from lateen.cluster.objects import GVR, Obj
from lateen.cluster.status import path_not_found

_AGGREGATED = "apidiscovery.k8s.io"


@dataclass(slots=True)
class _Documents:
    generation: int
    by_key: dict[str, bytes] = field(default_factory=dict)


class Discovery:
    """Answers discovery requests; documents are kept until the registry changes."""

    def __init__(self, registry: Registry, server_address: str) -> None:
        self._registry = registry
        self._addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}]
        self._documents = _Documents(-1)

    def answer(self, http: web.Request) -> web.Response:
        """Answers `/api`, `/apis` and what is below them. Raises StatusError 404."""
        path = http.path.rstrip("/")
        version = _aggregated_version(http.headers.get("Accept", "")) if path in ("/api", "/apis") else ""
        key = f"{path} {version}"
        if self._documents.generation != self._registry.generation:
            self._documents = _Documents(self._registry.generation)
        body = self._documents.by_key.get(key)
        if body is None:
            body = msgspec.json.encode(self._aggregated(path, version) if version else self._document(path))
            self._documents.by_key[key] = body
        if not version:
            return body_response(http, body)
        tag = f'"{hashlib.sha256(body).hexdigest().upper()}"'
        if http.headers.get("If-None-Match") == tag:
            response = web.Response(status=304)
        else:
            response = body_response(http, body)
            response.headers["Content-Type"] = f"{JSON};g={_AGGREGATED};v={version};as=APIGroupDiscoveryList"
        response.headers["ETag"] = tag
        response.headers["Vary"] = "Accept"
        return response

    def _document(self, path: str) -> Obj:
        groups = self._registry.groups()
        match path.strip("/").split("/"):
            case ["api"]:
                addresses = self._addresses
                return {"kind": "APIVersions", "versions": groups.get("", []), "serverAddressByClientCIDRs": addresses}
            case ["apis"]:
                listed = [_group(group, versions) for group, versions in groups.items() if group]
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}
            case ["api", version] if version in groups.get("", ()):
                return self._resources("", version)
            case ["apis", group] if group in groups:
                return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, groups[group])}
            case ["apis", group, version] if group and version in groups.get(group, ()):
                return self._resources(group, version)
        raise path_not_found()

    def _resources(self, group: str, version: str) -> Obj:
        listed = []
        for kind in self._registry.in_group_version(group, version):
            resource = kind.resource
            listed.append(_resource(resource))
            listed += [_subresource(resource, subresource) for subresource in resource.subresources]
        group_version = GVR(group, version, "").group_version
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}

    def _aggregated(self, path: str, version: str) -> Obj:
        groups = self._registry.groups()
        chosen = {g: versions for g, versions in groups.items() if (g == "") is (path == "/api")}
        items = [
            {
                "metadata": {"name": group, "creationTimestamp": None},
                "versions": [
                    {
                        "version": v,
                        "resources": _aggregated_resources(self._registry.in_group_version(group, v)),
                        "freshness": "Current",
                    }
                    for v in versions
                ],
            }
            for group, versions in chosen.items()
        ]
        api_version = f"{_AGGREGATED}/{version}"
        return {"kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {}, "items": items}


def _aggregated_version(accept: str) -> str:
    for media_type in parse_accept(accept):
        parameters = media_type.parameters
        if media_type.name != JSON:
            continue
        if "as" not in parameters:
            return ""
        if parameters["as"] == "APIGroupDiscoveryList" and parameters.get("g") == _AGGREGATED:
            version = parameters.get("v", "")
            if version in ("v2", "v2beta1"):
                return version
    return ""


def _group(name: str, versions: Sequence[str]) -> Obj:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _resource(resource: Resource) -> Obj:
    found: Obj = {
        "name": resource.gvr.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    return found


def _subresource(resource: Resource, subresource: Subresource) -> Obj:
    found: Obj = {
        "name": f"{resource.gvr.plural}/{subresource.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": subresource.kind.kind,
        "verbs": list(subresource.verbs),
    }
    if subresource.kind[:2] != resource.gvk[:2]:
        found["group"], found["version"] = subresource.kind.group, subresource.kind.version
    return found


def _aggregated_resources(kinds: Sequence[Kind]) -> list[Obj]:
    listed = []
    for kind in kinds:
        resource = kind.resource
        found: Obj = {
            "resource": resource.gvr.plural,
            "responseKind": resource.gvk._asdict(),
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "singularResource": resource.singular,
            "verbs": list(resource.verbs),
        }
        if resource.short_names:
            found["shortNames"] = list(resource.short_names)
        if resource.categories:
            found["categories"] = list(resource.categories)
        if resource.subresources:
            found["subresources"] = [
                {"subresource": s.name, "responseKind": s.kind._asdict(), "verbs": list(s.verbs)}
                for s in resource.subresources
            ]
        listed.append(found)
    return listed

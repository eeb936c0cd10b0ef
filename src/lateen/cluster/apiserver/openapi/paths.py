"""The paths of served resources: what clients look up to learn which verbs and parameters there are.

Source: the documents that Kubernetes serves. kubectl reads the group, version and kind of an operation, and whether
`patch` takes `dryRun` and `fieldValidation`.
"""

from __future__ import annotations

from typing import Any, Final

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.openapi.definitions import Dialect, custom_name
from lateen.cluster.apiserver.resource import Subresource
from lateen.cluster.objects import GVK, Obj

_PATCHES: Final = ("application/json-patch+json", "application/merge-patch+json")
_BUILTIN_PATCHES: Final = (*_PATCHES, "application/strategic-merge-patch+json")
_APPLY: Final = ("application/apply-patch+yaml",)

_PRETTY: Final = ("pretty", "string", "If 'true', then the output is pretty printed.")
_DRY_RUN: Final = (
    "dryRun",
    "string",
    "When present, indicates that modifications should not be persisted. Valid values are: All.",
)
_MANAGER: Final = (
    "fieldManager",
    "string",
    "The name of the actor or entity that is making these changes, at most 128 printable characters.",
)
_VALIDATION: Final = (
    "fieldValidation",
    "string",
    "What to do about unknown or duplicate fields: Ignore, Warn (the default) or Strict.",
)
_FORCE: Final = ("force", "boolean", "Take over fields that others own. Only for apply requests.")
_LIST: Final = (
    ("allowWatchBookmarks", "boolean", "Ask for events of type BOOKMARK."),
    ("continue", "string", "The token of an earlier, limited list, to go on from there."),
    ("fieldSelector", "string", "Restricts the objects by their fields."),
    ("labelSelector", "string", "Restricts the objects by their labels."),
    ("limit", "integer", "The most objects to return in one answer."),
    ("resourceVersion", "string", "Which version of the data is wanted."),
    ("resourceVersionMatch", "string", "How resourceVersion is to be taken: Exact or NotOlderThan."),
    ("sendInitialEvents", "boolean", "Begin a watch with the state as it is."),
    ("timeoutSeconds", "integer", "How long the call may take."),
    ("watch", "boolean", "Watch for changes instead of listing."),
)
_DELETE: Final = (
    _DRY_RUN,
    ("gracePeriodSeconds", "integer", "How long the object may take to end; zero means at once."),
    ("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    ("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
)
_WRITE: Final = (_DRY_RUN, _MANAGER, _VALIDATION)
_DELETE_OPTIONS: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
_PATCH: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"
_STATUS: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.Status"


class PathWriter:
    """Writes the paths of kinds in one dialect. `names` gives the definition names of built-in kinds."""

    def __init__(self, dialect: Dialect, names: dict[GVK, str]) -> None:
        self._dialect = dialect
        self._names = names

    def paths(self, kind: Kind) -> dict[str, Obj]:
        """Path -> path item, for the resource and its subresources."""
        resource = kind.resource
        group, version, plural = resource.gvr
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        where = f"{root}/namespaces/{{namespace}}/{plural}" if resource.namespaced else f"{root}/{plural}"
        collection: Obj = {}
        single: Obj = {}
        one = self._definition(resource.gvk, kind)
        many = self._definition(GVK(group, version, resource.list_kind), kind)
        if "list" in resource.verbs:
            collection["get"] = self._operation("list", "list", kind, resource.gvk, many, query=_LIST)
        if "create" in resource.verbs:
            collection["post"] = self._operation("create", "post", kind, resource.gvk, one, query=_WRITE, body=one)
        if "deletecollection" in resource.verbs:
            collection["delete"] = self._operation(
                "deleteCollection",
                "deletecollection",
                kind,
                resource.gvk,
                _STATUS,
                query=(*_DELETE, *_LIST),
                body=_DELETE_OPTIONS,
            )
        if "get" in resource.verbs:
            single["get"] = self._operation("read", "get", kind, resource.gvk, one)
        if "update" in resource.verbs:
            single["put"] = self._operation("replace", "put", kind, resource.gvk, one, query=_WRITE, body=one)
        if "delete" in resource.verbs:
            single["delete"] = self._operation(
                "delete", "delete", kind, resource.gvk, _STATUS, query=_DELETE, body=_DELETE_OPTIONS
            )
        if "patch" in resource.verbs:
            single["patch"] = self._patch(kind, resource.gvk, one)
        found: dict[str, Obj] = {}
        namespaced = ("namespace",) if resource.namespaced else ()
        if collection:
            found[where] = {**collection, "parameters": self._parameters((_PRETTY,), namespaced)}
        if single:
            found[f"{where}/{{name}}"] = {**single, "parameters": self._parameters((_PRETTY,), ("name", *namespaced))}
        if resource.namespaced and "list" in resource.verbs:
            operation = self._operation("list", "list", kind, resource.gvk, many, suffix="ForAllNamespaces")
            found[f"{root}/{plural}"] = {"get": operation, "parameters": self._parameters((*_LIST, _PRETTY))}
        for subresource in resource.subresources:
            item = self._subresource(kind, subresource)
            path = f"{where}/{{name}}/{subresource.name}"
            found[path] = {**item, "parameters": self._parameters((_PRETTY,), ("name", *namespaced))}
        return found

    def _subresource(self, kind: Kind, subresource: Subresource) -> Obj:
        name = self._definition(subresource.kind, kind)
        suffix = "".join(part.capitalize() for part in subresource.name.split("/"))
        item: Obj = {}
        if "get" in subresource.verbs:
            item["get"] = self._operation("read", "get", kind, subresource.kind, name, suffix=suffix)
        if "update" in subresource.verbs:
            item["put"] = self._operation(
                "replace", "put", kind, subresource.kind, name, query=_WRITE, body=name, suffix=suffix
            )
        if "create" in subresource.verbs:
            item["post"] = self._operation(
                "create", "post", kind, subresource.kind, name, query=_WRITE, body=name, suffix=suffix
            )
        if "patch" in subresource.verbs:
            item["patch"] = self._patch(kind, subresource.kind, name, suffix)
        return item

    def _patch(self, kind: Kind, gvk: GVK, name: str, suffix: str = "") -> Obj:
        types = (*(_PATCHES if kind.custom else _BUILTIN_PATCHES), *_APPLY)
        query = (*_WRITE, _FORCE)
        return self._operation("patch", "patch", kind, gvk, name, query=query, body=_PATCH, types=types, suffix=suffix)

    def _definition(self, gvk: GVK, kind: Kind) -> str:
        if gvk in self._names:
            return self._names[gvk]
        return custom_name(kind.resource, gvk.kind) if kind.custom else ""

    def _operation(
        self,
        verb: str,
        action: str,
        kind: Kind,
        gvk: GVK,
        answer: str,
        *,
        query: tuple[tuple[str, str, str], ...] = (),
        body: str = "",
        types: tuple[str, ...] = ("*/*",),
        suffix: str = "",
    ) -> Obj:
        resource = kind.resource
        words = "".join(part.capitalize() for part in resource.gvr.group.removesuffix(".k8s.io").split(".")) or "Core"
        scope = "Namespaced" if resource.namespaced and suffix != "ForAllNamespaces" else ""
        version = resource.gvr.version.capitalize()
        found: Obj = {
            "operationId": f"{verb}{words}{version}{scope}{resource.kind}{suffix}",
            "responses": self._responses(answer),
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {"group": gvk.group, "version": gvk.version, "kind": gvk.kind},
        }
        parameters = self._parameters(query)
        if self._dialect.version == 2:
            found["consumes"] = list(types)
            found["produces"] = ["application/json", "application/yaml"]
            if body:
                schema = self._dialect.reference(body)
                parameters.append({"in": "body", "name": "body", "required": body != _DELETE_OPTIONS, "schema": schema})
        elif body:
            content = {media: {"schema": self._dialect.reference(body)} for media in types}
            found["requestBody"] = {"content": content, "required": body != _DELETE_OPTIONS}
        if parameters:
            found["parameters"] = parameters
        return found

    def _responses(self, answer: str) -> Obj:
        said: Obj = {"description": "OK"}
        if answer and self._dialect.version == 2:
            said["schema"] = self._dialect.reference(answer)
        elif answer:
            said["content"] = {"application/json": {"schema": self._dialect.reference(answer)}}
        return {"200": said, "401": {"description": "Unauthorized"}}

    def _parameters(self, query: tuple[tuple[str, str, str], ...], path: tuple[str, ...] = ()) -> list[Any]:
        return [
            *(self._parameter(name, "path", "string", _PATH[name]) for name in path),
            *(self._parameter(name, "query", kind, description) for name, kind, description in query),
        ]

    def _parameter(self, name: str, where: str, kind: str, description: str) -> Obj:
        found: Obj = {"name": name, "in": where, "description": description}
        if where == "path":
            found["required"] = True
        if self._dialect.version == 2:
            return {**found, "type": kind, "uniqueItems": True}
        return {**found, "schema": {"type": kind, "uniqueItems": True}}


_PATH: Final = {"name": "The object's name.", "namespace": "The object's namespace."}

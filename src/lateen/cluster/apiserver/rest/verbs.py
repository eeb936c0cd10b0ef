"""From a request for a resource to the verb that answers it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from aiohttp import web

from lateen.cluster.apiserver.auth.decision import refusal
from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.negotiation import negotiate, wants_yaml
from lateen.cluster.apiserver.patch.patch_type import PatchType, patch_type
from lateen.cluster.apiserver.rest import options as opts
from lateen.cluster.apiserver.rest.body import decode_value, media_type, read_body, read_object
from lateen.cluster.apiserver.rest.call import Call, SubresourceRoutes, VirtualRoutes
from lateen.cluster.apiserver.rest.incoming import check_identity, check_kind, decode
from lateen.cluster.apiserver.rest.list_verb import list_objects
from lateen.cluster.apiserver.rest.options import ListOptions
from lateen.cluster.apiserver.rest.presentation import Presentation
from lateen.cluster.apiserver.rest.response import json_response
from lateen.cluster.apiserver.rest.watch_verb import watch_objects
from lateen.cluster.objects import GVR, Obj, name_of, uid_of
from lateen.cluster.selectors import FieldRequirement
from lateen.cluster.status import bad_request, method_not_allowed, not_acceptable, path_not_found

ANY = "*"
"""As the plural in `SubresourceRoutes`: a subresource of every kind that declares it and has no route of its own."""

_RETURNED_ON_DELETE = frozenset(
    (
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "podtemplates",
        "resourcequotas",
        "serviceaccounts",
        "services",
    )
)
"""Core resources whose deletion answers with the object instead of a Status."""


class Verbs:
    """Answers calls for resources. Handlers raise StatusError."""

    def __init__(self, subresources: SubresourceRoutes, virtual: VirtualRoutes, now: Callable[[], dt.datetime]) -> None:
        self._subresources = subresources
        self._virtual = virtual
        self._now = now

    async def answer(self, call: Call) -> web.StreamResponse:
        """Raises StatusError 404, 405 where there is nothing of the kind, and what verbs raise."""
        info = call.ctx.info
        virtual = self._virtual.get((info.group, info.plural))
        kind = call.server.registry.get(GVR(info.group, info.version, info.plural))
        if kind is None:
            raise path_not_found()
        call.kind = kind
        if kind.deprecation:
            call.ctx.warn(kind.deprecation)
        if virtual is not None:
            if info.verb != "create" or info.subresource:
                raise method_not_allowed()
            return await virtual(call)
        if not kind.resource.namespaced and info.namespace and info.plural != "namespaces":
            raise path_not_found()
        if info.subresource:
            return await self._subresource(call, kind)
        if info.verb not in kind.resource.verbs:
            raise method_not_allowed()
        whole_cluster = kind.resource.namespaced and not info.namespace
        if whole_cluster and info.verb not in ("list", "watch"):
            raise path_not_found() if info.name else method_not_allowed()
        return await self._verb(call, kind)

    async def _subresource(self, call: Call, kind: Kind) -> web.StreamResponse:
        info = call.ctx.info
        declared = kind.resource.subresource(info.subresource)
        handler = self._subresources.get((info.group, info.plural, info.subresource))
        if declared is None and handler is None:
            raise path_not_found()
        if declared is not None and info.verb not in declared.verbs:
            raise method_not_allowed()
        if handler is None:
            handler = self._subresources.get((ANY, ANY, info.subresource))
        if handler is not None:
            return await handler(call)
        if info.subresource == "status":
            return await self._verb(call, kind)
        raise path_not_found()

    async def _verb(self, call: Call, kind: Kind) -> web.StreamResponse:
        match call.ctx.info.verb:
            case "get":
                return self._get(call, kind)
            case "list":
                return self._list(call, kind)
            case "watch":
                return await self._watch(call, kind)
            case "create":
                return await self._create(call, kind)
            case "update":
                return await self._update(call, kind)
            case "patch":
                return await self._patch(call, kind)
            case "delete":
                return await self._delete(call, kind)
            case "deletecollection":
                return await self._delete_collection(call, kind)
        raise method_not_allowed()

    # --- reading ---------------------------------------------------------------------------------------------

    def _presentation(self, call: Call, kind: Kind) -> Presentation:
        http = call.http
        shown = negotiate(http.headers.get("Accept", ""), http.query.get("includeObject", ""))
        return Presentation(kind, shown, self._now)

    def _get(self, call: Call, kind: Kind) -> web.StreamResponse:
        obj = call.server.operations.get(kind, call.key)
        return json_response(self._presentation(call, kind).obj(obj))

    def _list(self, call: Call, kind: Kind) -> web.StreamResponse:
        options = opts.list_options(call.http.query)
        presentation = self._presentation(call, kind)
        return list_objects(call.http, call.server.store, presentation, call.namespace, options)

    async def _watch(self, call: Call, kind: Kind) -> web.StreamResponse:
        # The verb says watch; so must the options, also where the path's old spelling asked for it.
        options = opts.list_options({**call.http.query, "watch": "true"})
        if wants_yaml(call.http.headers.get("Accept", "")):
            raise not_acceptable("only the following media types are accepted: application/json;stream=watch")
        name = call.ctx.info.name
        if name and not any(f.path == "metadata.name" for f in options.fields):
            options = replace(options, fields=(*options.fields, FieldRequirement("metadata.name", name)))
        presentation = self._presentation(call, kind)
        return await watch_objects(call.http, call.server.store, presentation, call.namespace, options)

    # --- writing ---------------------------------------------------------------------------------------------

    def _read_write_options(self, call: Call, kind: str) -> None:
        query, ctx = call.http.query, call.ctx
        ctx.dry_run = opts.dry_run(query, kind)
        ctx.field_validation = opts.field_validation(query, kind)
        ctx.field_manager = opts.field_manager(query, kind)

    async def _decoded(self, call: Call, kind: Kind) -> Obj:
        duplicates: list[str] = []
        obj = await read_object(call.http, duplicates)
        check_kind(kind, obj)
        decode(kind, obj, call.ctx, duplicates)
        return obj

    def _answer(self, call: Call, kind: Kind, obj: Obj, status: int = 200) -> web.Response:
        return json_response(self._presentation(call, kind).obj(obj), status)

    async def _create(self, call: Call, kind: Kind) -> web.StreamResponse:
        if call.ctx.info.name:
            raise method_not_allowed()
        self._read_write_options(call, "CreateOptions")
        obj = await self._decoded(call, kind)
        return self._answer(call, kind, await call.server.operations.create(kind, obj, call.ctx), 201)

    async def _update(self, call: Call, kind: Kind) -> web.StreamResponse:
        info = call.ctx.info
        if not info.name:
            raise method_not_allowed()
        self._read_write_options(call, "UpdateOptions")
        obj = await self._decoded(call, kind)
        if not name_of(obj):
            raise bad_request("name must be provided")
        check_identity(kind, obj, call.namespace, info.name)
        creates = kind.created_by_update and not info.subresource
        may_create = partial(_require_create, call) if creates else None
        updated, created = await call.server.operations.put(
            kind, obj, call.ctx, info.subresource, may_create=may_create
        )
        return self._answer(call, kind, updated, 201 if created else 200)

    async def _patch(self, call: Call, kind: Kind) -> web.StreamResponse:
        if not call.ctx.info.name:
            raise method_not_allowed()
        self._read_write_options(call, "PatchOptions")
        asked = patch_type(call.http.headers.get("Content-Type", ""), custom=kind.custom)
        is_apply = asked is PatchType.APPLY
        call.ctx.force = opts.apply_force(call.http.query, is_apply=is_apply)
        if is_apply:
            opts.require_field_manager(call.ctx.field_manager)
        duplicates: list[str] = []
        patch = decode_value(await read_body(call.http), media_type(call.http), duplicates)
        obj, created = await call.server.operations.patch(
            kind,
            call.key,
            asked,
            patch,
            call.ctx,
            call.ctx.info.subresource,
            duplicates=duplicates,
            may_create=partial(_require_create, call),
        )
        return self._answer(call, kind, obj, 201 if created else 200)

    # --- deleting --------------------------------------------------------------------------------------------

    async def _delete_options(self, call: Call) -> opts.DeleteOptions:
        body = await read_object(call.http) if await read_body(call.http) else None
        options = opts.delete_options(call.http.query, body)
        call.ctx.dry_run = options.dry_run
        return options

    async def _delete(self, call: Call, kind: Kind) -> web.StreamResponse:
        options = await self._delete_options(call)
        deleted = await call.server.operations.delete(kind, call.key, options, call.ctx)
        if not deleted.removed:
            waits = options.propagation == "Foreground" or options.orphan_dependents is False
            return self._answer(call, kind, deleted.obj, 202 if waits else 200)
        gvr = kind.resource.gvr
        if gvr.group == "" and gvr.plural in _RETURNED_ON_DELETE:
            return self._answer(call, kind, deleted.obj)
        details = {"name": call.key.name, "group": gvr.group, "kind": gvr.plural, "uid": uid_of(deleted.obj)}
        return json_response(
            {
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": {k: v for k, v in details.items() if v},
            }
        )

    async def _delete_collection(self, call: Call, kind: Kind) -> web.StreamResponse:
        options = await self._delete_options(call)
        selection: ListOptions = opts.list_options(call.http.query)
        namespace = call.namespace
        removed = await call.server.operations.delete_collection(kind, namespace, selection, options, call.ctx)
        return json_response(
            {
                "kind": kind.resource.list_kind,
                "apiVersion": kind.resource.gvk.api_version,
                "metadata": {"resourceVersion": str(call.server.store.revision)},
                "items": list(removed),
            }
        )


def _require_create(call: Call) -> None:
    """Who creates by another verb needs the right to create too. Raises StatusError 403."""
    info = replace(call.ctx.info, verb="create")
    decision = call.server.authorizer.authorize(call.ctx.user, info)
    if not decision.allowed:
        raise refusal(call.ctx.user, info, decision.reason)

"""Handlers of the subresources that custom resources have besides `status`."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from lateen.cluster.apiserver.crd.kind import CustomKind
from lateen.cluster.apiserver.crd.scale import ScalePaths
from lateen.cluster.apiserver.patch import json_patch, merge_patch
from lateen.cluster.apiserver.patch.patch_type import PatchType, patch_type
from lateen.cluster.apiserver.rest import options
from lateen.cluster.apiserver.rest.body import decode_value, media_type, read_body
from lateen.cluster.apiserver.rest.call import Call, SubresourceRoutes
from lateen.cluster.objects import Obj, metadata
from lateen.cluster.status import bad_request, conflict, invalid, invalid_value, path_not_found


def custom_subresources() -> SubresourceRoutes:
    """For every custom resource whose definition declares them; built-in kinds have routes of their own."""
    return {("*", "*", "scale"): scale}


async def scale(call: Call) -> web.StreamResponse:
    """Reads and writes an object's `autoscaling/v1 Scale`. Raises StatusError."""
    kind = call.kind
    if not isinstance(kind, CustomKind) or kind.scale is None:
        raise path_not_found()
    paths, operations = kind.scale, call.server.operations
    verb = call.ctx.info.verb
    if verb == "get":
        return call.respond(paths.scale_of(operations.get(kind, call.key)))
    action = "PatchOptions" if verb == "patch" else "UpdateOptions"
    call.ctx.dry_run = options.dry_run(call.http.query, action)
    call.ctx.field_manager = options.field_manager(call.http.query, action)
    change: Any
    if verb == "patch":
        # A Scale has no lists: a strategic merge is a plain one.
        asked = patch_type(call.http.headers.get("Content-Type", ""), custom=False)
        if asked is PatchType.APPLY:
            raise bad_request("server-side apply is not supported for the scale subresource of custom resources")
        patch = decode_value(await read_body(call.http), media_type(call.http), [])

        def change(live: Obj) -> Any:
            shown = paths.scale_of(live)
            return json_patch.apply(shown, patch) if asked is PatchType.JSON else merge_patch.apply(shown, patch)
    else:
        sent = await call.read_object()

        def change(live: Obj) -> Any:
            return sent

    updated = await operations.modify(kind, call.key, lambda live: _scaled(kind, paths, live, change(live)), call.ctx)
    return call.respond(paths.scale_of(updated))


def _scaled(kind: CustomKind, paths: ScalePaths, live: Obj, wanted: Any) -> Obj:
    if not isinstance(wanted, dict):
        raise bad_request("the scale is not an object")
    gvr, name = kind.resource.gvr, str(metadata(live).get("name"))
    version = metadata(wanted).get("resourceVersion")
    if version and version != metadata(live).get("resourceVersion"):
        raise conflict(gvr.group, gvr.plural, name)
    spec = wanted.get("spec")
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else 0
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request("spec.replicas of a scale must be an integer")
    if replicas < 0:
        cause = invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid("autoscaling", "Scale", name, [cause])
    return paths.scaled(live, replicas)

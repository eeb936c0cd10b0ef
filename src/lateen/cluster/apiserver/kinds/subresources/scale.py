"""The `scale` subresource of workloads: how many replicas, as an `autoscaling/v1 Scale`.

Source: k8s.io/kubernetes `pkg/registry/apps/*/storage` (`ScaleREST`).
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from lateen.cluster.apiserver.kinds.fields import mapping, number
from lateen.cluster.apiserver.kinds.label_selectors import format_label_selector, format_labels
from lateen.cluster.apiserver.kinds.subresources.write_options import read_patch, read_write_options
from lateen.cluster.apiserver.patch import json_patch, merge_patch
from lateen.cluster.apiserver.patch.patch_type import PatchType
from lateen.cluster.apiserver.rest.call import Call
from lateen.cluster.objects import Obj, metadata, name_of
from lateen.cluster.status import bad_request, conflict, invalid, invalid_value, path_not_found

_SHARED_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(obj: Obj) -> Obj:
    """The Scale that a workload shows."""
    spec, status = mapping(obj, "spec"), mapping(obj, "status")
    selector = mapping(spec, "selector")
    plain = obj.get("kind") == "ReplicationController"
    shown = format_labels(selector) if plain else format_label_selector(selector)
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {field: metadata(obj)[field] for field in _SHARED_METADATA if field in metadata(obj)},
        "spec": {"replicas": number(spec, "replicas")},
        "status": {
            "replicas": number(status, "replicas"),
            **({"selector": shown} if shown != "<none>" else {}),
        },
    }


async def scale(call: Call) -> web.StreamResponse:
    """Answers get, update and patch. Raises StatusError."""
    kind, verb, operations = call.kind, call.ctx.info.verb, call.server.operations
    if kind is None:
        raise path_not_found()
    if verb == "get":
        return call.respond(scale_of(operations.get(kind, call.key)))
    if verb == "patch":
        asked, patch = await read_patch(call)
        if asked is PatchType.APPLY:
            # Who applies a Scale owns the workload's `spec.replicas`, through the scale subresource.
            config = {
                "apiVersion": kind.resource.gvk.api_version,
                "kind": kind.resource.kind,
                "metadata": {"name": call.key.name, "namespace": call.key.namespace},
                "spec": {"replicas": _replicas(patch, call.key.name)},
            }
            applied, _ = await operations.patch(kind, call.key, asked, config, call.ctx, "scale")
            return call.respond(scale_of(applied))

        def wanted(live: Obj) -> Any:
            # A Scale has no lists: a strategic merge is a plain one.
            change = json_patch.apply if asked is PatchType.JSON else merge_patch.apply
            return change(scale_of(live), patch)
    else:
        read_write_options(call, "UpdateOptions")
        sent = await call.read_object()

        def wanted(live: Obj) -> Any:
            return sent

    def change(live: Obj) -> Obj:
        asked_for = wanted(live)
        replicas = _replicas(asked_for, name_of(live))
        version = metadata(asked_for).get("resourceVersion")
        if version and version != metadata(live).get("resourceVersion"):
            raise conflict(kind.resource.gvr.group, kind.resource.gvr.plural, name_of(live))
        live["spec"]["replicas"] = replicas
        return live

    return call.respond(scale_of(await operations.modify(kind, call.key, change, call.ctx, "scale")))


def _replicas(wanted: Any, name: str) -> int:
    """Raises StatusError 400 or 422 where a Scale does not say a number of replicas."""
    if not isinstance(wanted, dict) or wanted.get("kind", "Scale") != "Scale":
        raise bad_request("expected input object type to be Scale")
    if metadata(wanted).get("name", name) != name:
        raise bad_request("the name of the object does not match the name on the URL")
    replicas = mapping(wanted, "spec").get("replicas") or 0
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request("spec.replicas of a Scale must be an integer")
    if replicas < 0:
        cause = invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid("autoscaling", "Scale", name, [cause])
    return replicas

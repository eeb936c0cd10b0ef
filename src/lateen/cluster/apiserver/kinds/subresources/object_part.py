"""Subresources whose body is the whole object, of which only a part may change.

Source: k8s.io/kubernetes `pkg/registry`: the strategies of pods/ephemeralcontainers, namespaces/finalize and
certificatesigningrequests/approval.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.kinds.core.pod_validation import validate_pod_spec
from lateen.cluster.apiserver.kinds.fields import mapping, objects, section, text
from lateen.cluster.apiserver.kinds.subresources.write_options import read_patch, read_write_options
from lateen.cluster.apiserver.request import Context
from lateen.cluster.apiserver.rest.call import Call
from lateen.cluster.apiserver.rest.incoming import check_identity, check_kind, decode
from lateen.cluster.apiserver.rest.write_pipeline import Strategy
from lateen.cluster.objects import Obj, deep_copy, metadata, timestamp
from lateen.cluster.status import Cause, forbidden_field, invalid_value, path_not_found


@dataclass(frozen=True, slots=True)
class ObjectPart:
    """Answers get, update and patch of one such subresource."""

    strategy: Strategy

    async def handle(self, call: Call) -> web.StreamResponse:
        kind, info, operations = call.kind, call.ctx.info, call.server.operations
        if kind is None:
            raise path_not_found()
        if info.verb == "get":
            return call.respond(operations.get(kind, call.key))
        if info.verb == "patch":
            asked, patch = await read_patch(call)
            patched, _ = await operations.patch(kind, call.key, asked, patch, call.ctx, info.subresource, self.strategy)
            return call.respond(patched)
        read_write_options(call, "UpdateOptions")
        obj = await self._read(call, kind)
        return call.respond(await operations.update(kind, obj, call.ctx, info.subresource, self.strategy))

    async def _read(self, call: Call, kind: Kind) -> Obj:
        obj = await call.read_object()
        check_kind(kind, obj)
        decode(kind, obj, call.ctx)
        check_identity(kind, obj, call.namespace, call.ctx.info.name)
        return obj


def _replace_all_but(obj: Obj, old: Obj) -> None:
    """Makes `obj` a copy of `old`, but for what every write has of its own."""
    own = {field: metadata(obj)[field] for field in ("managedFields", "resourceVersion") if field in metadata(obj)}
    obj.clear()
    obj.update(deep_copy(old))
    obj["metadata"].update(own)


def _prepare_ephemeral(obj: Obj, old: Obj, ctx: Context) -> None:
    containers = deep_copy(objects(mapping(obj, "spec"), "ephemeralContainers"))
    _replace_all_but(obj, old)
    if containers:
        section(obj, "spec")["ephemeralContainers"] = containers
    else:
        section(obj, "spec").pop("ephemeralContainers", None)


def _validate_ephemeral(obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
    path = "spec.ephemeralContainers"
    wanted = {text(c, "name"): c for c in objects(mapping(obj, "spec"), "ephemeralContainers")}
    found = []
    for container in objects(mapping(old, "spec"), "ephemeralContainers"):
        name = text(container, "name")
        if name not in wanted:
            found.append(forbidden_field(path, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif wanted[name] != container:
            found.append(forbidden_field(path, f'existing ephemeral containers "{name}" may not be changed\n'))
    return found or validate_pod_spec(mapping(obj, "spec"), "spec")


def _prepare_finalize(obj: Obj, old: Obj, ctx: Context) -> None:
    finalizers = list(mapping(obj, "spec").get("finalizers") or ())
    _replace_all_but(obj, old)
    section(obj, "spec")["finalizers"] = finalizers


def _validate_finalize(obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
    return ()


def _prepare_approval(obj: Obj, old: Obj, ctx: Context) -> None:
    conditions = deep_copy(objects(mapping(obj, "status"), "conditions"))
    _replace_all_but(obj, old)
    before = {text(condition, "type"): condition for condition in objects(mapping(old, "status"), "conditions")}
    now = timestamp(dt.datetime.now(dt.UTC))
    for condition in conditions:
        known = before.get(text(condition, "type"), {})
        condition.setdefault("status", "True")
        condition.setdefault("lastUpdateTime", now)
        condition.setdefault("lastTransitionTime", known.get("lastTransitionTime", now))
    if conditions:
        section(obj, "status")["conditions"] = conditions


def _validate_approval(obj: Obj, old: Obj, ctx: Context) -> Sequence[Cause]:
    conditions = objects(mapping(obj, "status"), "conditions")
    kinds = [text(condition, "type") for condition in conditions]
    found = []
    if "Approved" in kinds and "Denied" in kinds:
        at = f"status.conditions[{kinds.index('Denied')}].type"
        found.append(invalid_value(at, "Denied", "Approved and Denied conditions are mutually exclusive"))
    for condition in objects(mapping(old, "status"), "conditions"):
        kind = text(condition, "type")
        if kind in ("Approved", "Denied", "Failed") and kind not in kinds:
            detail = f'updates may not remove a condition of type "{kind}"'
            found.append(forbidden_field("status.conditions", detail))
    return found


EPHEMERAL_CONTAINERS = ObjectPart(Strategy(_prepare_ephemeral, _validate_ephemeral))
FINALIZE = ObjectPart(Strategy(_prepare_finalize, _validate_finalize))
APPROVAL = ObjectPart(Strategy(_prepare_approval, _validate_approval))

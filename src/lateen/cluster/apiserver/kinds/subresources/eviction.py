"""Evicting a pod: a deletion that PodDisruptionBudgets may refuse.

Source: k8s.io/kubernetes `pkg/registry/core/pod/storage/eviction.go`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aiohttp import web

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.kinds.fields import mapping, number, objects, section, text
from lateen.cluster.apiserver.kinds.subresources.binding import PODS
from lateen.cluster.apiserver.kinds.subresources.write_options import read_write_options
from lateen.cluster.apiserver.rest.call import Call
from lateen.cluster.apiserver.rest.options import DeleteOptions, delete_options
from lateen.cluster.objects import GVR, Obj, key_of, labels_of, metadata, name_of, timestamp
from lateen.cluster.selectors import from_label_selector
from lateen.cluster.status import (
    Cause,
    StatusError,
    bad_request,
    forbidden,
    internal_error,
    path_not_found,
    too_many_requests,
)

_BUDGETS = GVR("policy", "v1", "poddisruptionbudgets")
_VERSIONS = ("policy/v1", "policy/v1beta1")
_MAX_DISRUPTED = 2000
_RETRY_SECONDS = 10
_ATTEMPTS = 5
_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


async def evict(call: Call) -> web.StreamResponse:
    """Answers create. Raises StatusError, 429 when a budget forbids it."""
    read_write_options(call, "CreateOptions")
    eviction = await call.read_object()
    if eviction.get("apiVersion", _VERSIONS[0]) not in _VERSIONS or eviction.get("kind", "Eviction") != "Eviction":
        raise bad_request("expected input object type to be Eviction")
    name = call.ctx.info.name
    if (name_of(eviction) or name) != name:
        raise bad_request("name in URL does not match name in Eviction object")
    asked = delete_options({}, mapping(eviction, "deleteOptions") or None)
    call.ctx.dry_run = call.ctx.dry_run or asked.dry_run
    pods, budgets = call.server.registry.get(PODS), call.server.registry.get(_BUDGETS)
    if pods is None or budgets is None:
        raise path_not_found()
    await _evict(call, pods, budgets, replace(asked, dry_run=call.ctx.dry_run))
    return call.respond({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, 201)


async def _evict(call: Call, pods: Kind, budgets: Kind, asked: DeleteOptions) -> None:
    operations = call.server.operations
    for attempt in range(_ATTEMPTS):
        pod = operations.get(pods, call.key)
        options = asked
        if not _needs_no_budget(pod):
            matching = [
                budget
                for budget in operations.list(budgets, call.key.namespace)
                if from_label_selector(mapping(budget, "spec").get("selector")).matches(labels_of(pod))
            ]
            if len(matching) > 1:
                detail = (
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support"
                )
                raise StatusError(500, "InternalError", f"{detail}.")
            for budget in matching:
                if _unready_may_go(pod, budget):
                    # The pod must not have become ready in the meantime.
                    options = replace(asked, resource_version=metadata(pod)["resourceVersion"])
                else:
                    await _disrupt(call, budgets, budget, name_of(pod))
        try:
            await operations.delete(pods, call.key, options, call.ctx)
            return
        except StatusError as error:
            if error.reason != "Conflict" or options is asked or attempt == _ATTEMPTS - 1:
                raise
            await asyncio.sleep(0)
    raise internal_error("eviction did not settle")


def _needs_no_budget(pod: Obj) -> bool:
    phase = text(mapping(pod, "status"), "phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(metadata(pod).get("deletionTimestamp"))


def _is_ready(pod: Obj) -> bool:
    conditions = objects(mapping(pod, "status"), "conditions")
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _unready_may_go(pod: Obj, budget: Obj) -> bool:
    """A pod that is not ready counts for no budget, if the budget says so or is healthy anyway."""
    if _is_ready(pod):
        return False
    if mapping(budget, "spec").get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = mapping(budget, "status")
    return number(status, "currentHealthy") >= number(status, "desiredHealthy") > 0


async def _disrupt(call: Call, kind: Kind, budget: Obj, pod: str) -> None:
    """Takes one disruption from the budget. Raises StatusError 429 when there is none."""

    def take(live: Obj) -> Obj:
        status = section(live, "status")
        name = name_of(live)
        if number(status, "observedGeneration") < number(metadata(live), "generation"):
            detail = f"The disruption budget {name} is still being processed by the server."
            raise _too_many(detail, _RETRY_SECONDS)
        allowed = number(status, "disruptionsAllowed")
        if allowed < 0:
            raise forbidden("policy", "poddisruptionbudgets", name, "pdb disruptions allowed is negative")
        if len(mapping(status, "disruptedPods")) > _MAX_DISRUPTED:
            detail = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
            raise forbidden("policy", "poddisruptionbudgets", name, detail)
        if allowed == 0:
            needs, has = number(status, "desiredHealthy"), number(status, "currentHealthy")
            # No advice when to try again: clients would obey it unseen, kubectl drain beyond its own timeout.
            raise _too_many(f"The disruption budget {name} needs {needs} healthy pods and has {has} currently")
        status["disruptionsAllowed"] = allowed - 1
        section(status, "disruptedPods")[pod] = timestamp()
        for condition in objects(status, "conditions"):
            if condition.get("type") == "DisruptionAllowed" and allowed == 1:
                condition.update(status="False", reason="InsufficientPods", lastTransitionTime=timestamp())
        return live

    info = replace(
        call.ctx.info,
        group="policy",
        plural="poddisruptionbudgets",
        name=name_of(budget),
        subresource="status",
        verb="update",
    )
    ctx = replace(call.ctx, info=info)
    await call.server.operations.modify(kind, key_of(budget), take, ctx, "status")


def _too_many(detail: str, retry_after: int | None = None) -> StatusError:
    error = too_many_requests(_REFUSED, retry_after)
    error.causes = (Cause("DisruptionBudget", detail, ""),)
    return error

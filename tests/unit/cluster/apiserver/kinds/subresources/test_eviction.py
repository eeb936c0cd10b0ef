from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from lateen.cluster.apiserver.kinds.subresources.eviction import evict
from lateen.cluster.apiserver.request import Context, RequestInfo, User
from lateen.cluster.apiserver.rest.call import Call
from lateen.cluster.objects import Obj, deep_copy
from lateen.cluster.status import StatusError


class _Operations:
    """One pod and its budgets."""

    def __init__(self, pod: Obj, budgets: list[Obj]) -> None:
        self.pod, self.budgets, self.deleted = pod, budgets, False

    def get(self, kind: Any, key: Any) -> Obj:
        return self.pod

    def list(self, kind: Any, namespace: str) -> list[Obj]:
        return self.budgets

    async def modify(self, kind: Any, key: Any, change: Any, ctx: Any, subresource: str) -> Obj:
        changed: Obj = change(deep_copy(self.budgets[0]))
        if not ctx.dry_run:
            self.budgets[0] = changed
        return changed

    async def delete(self, kind: Any, key: Any, options: Any, ctx: Any) -> None:
        self.deleted = not ctx.dry_run


class _Call(Call):
    async def read_object(self) -> Obj:
        return {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}}

    def respond(self, obj: Obj, status: int = 200) -> web.Response:
        return web.Response(status=status)


def _call(operations: _Operations, query: dict[str, str]) -> Call:
    info = RequestInfo("", "create", "", "v1", "pods", "default", "web", "eviction")
    registry = SimpleNamespace(get=lambda gvr: object())
    server = SimpleNamespace(operations=operations, registry=registry)
    return _Call(cast(Any, SimpleNamespace(query=query)), Context(User("u"), info), cast(Any, server))


def _pod(phase: str = "Running", ready: str = "True") -> Obj:
    status = {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}
    return {"metadata": {"name": "web", "labels": {"app": "x"}, "resourceVersion": "1"}, "status": status}


def _budget(allowed: int, **status: Any) -> Obj:
    return {
        "metadata": {"name": "b", "namespace": "default", "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": "x"}}},
        "status": {
            "observedGeneration": 1,
            "disruptionsAllowed": allowed,
            "desiredHealthy": 2,
            "currentHealthy": 2,
            **status,
        },
    }


async def _evict(operations: _Operations, **query: str) -> int:
    return (await evict(_call(operations, query))).status


async def test_a_budget_pays_for_an_eviction() -> None:
    operations = _Operations(_pod(), [_budget(1)])
    assert await _evict(operations) == 201
    assert operations.deleted
    assert operations.budgets[0]["status"]["disruptionsAllowed"] == 0
    assert "web" in operations.budgets[0]["status"]["disruptedPods"]


async def test_an_exhausted_budget_refuses() -> None:
    operations = _Operations(_pod(), [_budget(0)])
    with pytest.raises(StatusError) as refused:
        await _evict(operations)
    assert (refused.value.code, refused.value.reason) == (429, "TooManyRequests")
    assert refused.value.message == "Cannot evict pod as it would violate the pod's disruption budget."
    assert refused.value.retry_after is None
    assert [cause.message for cause in refused.value.causes] == [
        "The disruption budget b needs 2 healthy pods and has 2 currently"
    ]
    assert not operations.deleted


async def test_a_dry_run_pays_nothing() -> None:
    operations = _Operations(_pod(), [_budget(1)])
    assert await _evict(operations, dryRun="All") == 201
    assert not operations.deleted
    assert operations.budgets[0]["status"]["disruptionsAllowed"] == 1


async def test_a_budget_that_is_behind_refuses() -> None:
    with pytest.raises(StatusError) as refused:
        await _evict(_Operations(_pod(), [_budget(1, observedGeneration=0)]))
    assert "still being processed" in refused.value.causes[0].message


@pytest.mark.parametrize("pod", [_pod("Succeeded"), _pod("Pending"), _pod(ready="False")])
async def test_pods_that_no_budget_protects(pod: Obj) -> None:
    operations = _Operations(pod, [_budget(0)])
    assert await _evict(operations) == 201
    assert operations.deleted


async def test_two_budgets_are_too_many() -> None:
    with pytest.raises(StatusError, match="more than one PodDisruptionBudget"):
        await _evict(_Operations(_pod(), [_budget(1), _budget(1)]))

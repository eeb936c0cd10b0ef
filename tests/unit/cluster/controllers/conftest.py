"""Builders of the objects that controllers observe."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

NOW = dt.datetime(2026, 1, 1, 12, 0, 0, tzinfo=dt.UTC)


@pytest.fixture
def now() -> dt.datetime:
    return NOW


@pytest.fixture
def make_pod() -> Callable[..., dict[str, Any]]:
    """A pod that is ready for an hour unless told otherwise."""

    def build(
        name: str,
        *,
        phase: str = "Running",
        ready: bool = True,
        ready_for: float = 3600,
        node: str = "n1",
        ip: str = "10.0.0.1",
        labels: dict[str, str] | None = None,
        owner: dict[str, Any] | None = None,
        deleting: bool = False,
        age: float = 3600,
        **spec: Any,
    ) -> dict[str, Any]:
        def at(seconds: float) -> str:
            return (NOW - dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

        meta: dict[str, Any] = {
            "name": name,
            "namespace": "ns",
            "uid": f"uid-{name}",
            "labels": labels or {},
            "creationTimestamp": at(age),
        }
        if owner:
            reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
            meta["ownerReferences"] = [{**reference, "uid": owner["metadata"]["uid"], "controller": True}]
        if deleting:
            meta["deletionTimestamp"] = at(1)
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": at(ready_for)}
        status: dict[str, Any] = {"phase": phase, "conditions": [condition]}
        if ip:
            status |= {"podIP": ip, "podIPs": [{"ip": ip}]}
        full = {"containers": [{"name": "c", "image": "i"}], **spec}
        if node:
            full["nodeName"] = node
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": full, "status": status}

    return build


@pytest.fixture
def make_node() -> Callable[..., dict[str, Any]]:
    def build(name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
        ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": NOW.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "uid": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
            "spec": spec,
            "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "10"}, "conditions": [ready]},
        }

    return build


@pytest.fixture
def make_owner() -> Callable[..., dict[str, Any]]:
    """An owner of pods labelled `app: x`."""

    def build(kind: str, name: str = "own", status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
        template = {
            "metadata": {"labels": {"app": "x"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        return {
            "apiVersion": "batch/v1" if kind in ("Job", "CronJob") else "apps/v1",
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": "ns",
                "uid": f"uid-{name}",
                "generation": 1,
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": template, **spec},
            "status": status or {},
        }

    return build

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.kinds import builtin_kinds
from lateen.cluster.apiserver.kinds.resources import RESOURCES
from lateen.cluster.apiserver.request import Context, RequestInfo, User
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.layout import Layout
from lateen.cluster.objects import GVK, Obj, deep_copy


class _NoSchemas:
    def for_gvk(self, gvk: GVK, /) -> Schema:
        return Schema(type="object")


_KINDS = builtin_kinds(_NoSchemas(), Layout("test", 3, Path("unused")))
_CTX = Context(User("tester"), RequestInfo("", "create"))
_NOW = dt.datetime(2026, 1, 1, 0, 5, tzinfo=dt.UTC)


def _bare(kind: Kind) -> Obj:
    meta = {"name": "x", "uid": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    if kind.resource.namespaced:
        meta["namespace"] = "default"
    return {"apiVersion": kind.resource.gvk.api_version, "kind": kind.resource.kind, "metadata": meta}


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: ".".join(kind.resource.gvk))
def test_every_kind_copes_with_an_object_that_says_nothing(kind: Kind) -> None:
    obj = _bare(kind)
    kind.default(obj)
    once = deep_copy(obj)
    kind.default(obj)
    assert obj == once
    kind.prepare_create(obj, _CTX)
    kind.validate_create(obj, _CTX)
    changed = deep_copy(obj)
    kind.prepare_update(changed, obj, _CTX)
    kind.validate_update(changed, obj, _CTX)
    kind.warnings(obj)
    assert all(isinstance(value, str) for value in kind.selectable_fields(obj).values())
    assert len(kind.row(obj, _NOW)) == len(kind.columns())


def test_new_objects_have_a_status_with_the_numbers_that_it_must_have() -> None:
    numbers = {name: Schema(type="integer") for name in ("currentHealthy", "observedGeneration")}
    status = Schema(type="object", properties=numbers, required=("currentHealthy",))

    class Schemas:
        def for_gvk(self, gvk: GVK, /) -> Schema:
            return Schema(type="object", properties={"status": status})

    kinds = {kind.resource.kind: kind for kind in builtin_kinds(Schemas(), Layout("test", 3, Path("unused")))}
    for name, wanted in (("PodDisruptionBudget", {"currentHealthy": 0}), ("ConfigMap", None)):
        obj = {**_bare(kinds[name]), "status": {"currentHealthy": 7}} if wanted else _bare(kinds[name])
        kinds[name].prepare_create(obj, _CTX)
        assert obj.get("status") == wanted


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: ".".join(kind.resource.gvk))
def test_storage_and_back(kind: Kind) -> None:
    obj = _bare(kind)
    kind.default(obj)
    kind.prepare_create(obj, _CTX)
    before = deep_copy(obj)
    stored = kind.to_storage(obj)
    assert obj == before
    again = kind.to_storage(kind.from_storage(stored))
    assert again == stored


def test_discovery_names_are_unique() -> None:
    assert len({resource.gvr for resource in RESOURCES}) == len(RESOURCES)
    by_group: dict[str, set[str]] = {}
    for resource in RESOURCES:
        if resource.gvr.version == resource.storage_version:
            taken = by_group.setdefault(resource.gvr.group, set())
            spoken = {resource.gvr.plural, resource.singular, *resource.short_names}
            assert not taken & spoken
            taken |= spoken


def test_all_is_what_kubectl_get_all_shows() -> None:
    shown = {resource.gvr.plural for resource in RESOURCES if "all" in resource.categories}
    assert shown == {
        "cronjobs",
        "daemonsets",
        "deployments",
        "horizontalpodautoscalers",
        "jobs",
        "pods",
        "replicasets",
        "replicationcontrollers",
        "services",
        "statefulsets",
    }

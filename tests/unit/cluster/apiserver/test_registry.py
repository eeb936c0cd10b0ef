from __future__ import annotations

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.registry import Registry, version_priority
from lateen.cluster.apiserver.resource import Resource
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.objects import GVR


def kind(group: str, version: str, plural: str = "things") -> Kind:
    resource = Resource(GVR(group, version, plural), "Thing", "thing", True, "ThingList", "v1")
    return Kind(resource, Schema(type="object"))


def test_versions_sort_as_kubernetes_prefers_them() -> None:
    versions = ["foo10", "v1alpha1", "v1", "v10", "v2", "v3beta1", "v11beta2", "foo1", "v12alpha1"]
    expected = ["v10", "v2", "v1", "v11beta2", "v3beta1", "v12alpha1", "v1alpha1", "foo1", "foo10"]
    assert sorted(versions, key=version_priority, reverse=True) == expected


def test_kinds_come_and_go() -> None:
    registry = Registry([kind("b", "v1")])
    generation = registry.generation
    core = kind("", "v1")
    registry.add(core)
    assert registry.get(core.resource.gvr) is registry.by_gvk(core.resource.gvk) is core
    assert list(registry.groups()) == ["", "b"]
    registry.remove(core.resource.gvr)
    assert registry.get(core.resource.gvr) is None
    assert registry.generation > generation

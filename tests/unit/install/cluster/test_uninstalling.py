"""What is taken away, in which order, and what stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from lateen.install.cluster.places import DEFINITION, NAMESPACE, OWNED, path_of
from lateen.install.cluster.uninstalling import left_by_the_control_plane, of_everything, of_revision, uninstall
from lateen.install.installation import resolve
from lateen.install.progress import Progress
from lateen.install.rendering.objects import render
from lateen.install.set_flags import parse_set_flag
from lateen.testing.memory_api import MemoryAnswer

ROOTS = "/api/v1/namespaces/shop/configmaps/istio-ca-root-cert"
SECRET = "/api/v1/namespaces/istio-system/secrets/istio-ca-secret"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/istio-system/leases/istio-webhooks-leader"
OTHER_LEASE = "/apis/coordination.k8s.io/v1/namespaces/istio-system/leases/somebodys"
LISTED = {each.plural for each in (*OWNED, DEFINITION, NAMESPACE)} | {"pods", "secrets", "leases"}


class Cluster:
    """Objects by path; knows how to list, get and delete."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []

    def add(self, path: str, **labels: str) -> None:
        *_, name = path.split("/")
        namespace = path.split("/namespaces/")[1].split("/")[0] if "/namespaces/" in path else ""
        self.objects[path] = {"metadata": {"name": name, "namespace": namespace, "labels": labels}}

    async def send(self, method: str, path: str, *, parameters: Mapping[str, str] | None = None, **_: Any) -> Any:
        if method == "DELETE":
            if self.objects.pop(path, None) is not None:
                self.deleted.append(path)
            return MemoryAnswer(200, {})
        if path in self.objects:
            return MemoryAnswer(200, self.objects[path])
        group, _, plural = path.rpartition("/")
        if plural in LISTED:
            found = [each for at, each in self.objects.items() if self._is_in(at, group, plural)]
            selector = (parameters or {}).get("labelSelector", "")
            return MemoryAnswer(200, {"items": [each for each in found if _selected(each, selector)]})
        return MemoryAnswer(404, {"message": "not found"})

    async def text(self, path: str, parameters: Mapping[str, str] | None = None) -> str:
        raise OSError(path)

    def _is_in(self, path: str, group: str, plural: str) -> bool:
        *_, kind, _name = path.split("/")
        root = group.split("/namespaces/")[0]
        return kind == plural and path.startswith(f"{group}/" if "/namespaces/" in group else f"{root}/")


def _selected(found: Mapping[str, Any], selector: str) -> bool:
    labels = found["metadata"]["labels"]
    for part in filter(None, selector.split(",")):
        name, _, value = part.partition("!=" if "!=" in part else "=")
        if "!=" in part:
            if labels.get(name) == value:
                return False
        elif name not in labels or (value and labels[name] != value):
            return False
    return True


@pytest.fixture
def cluster() -> Cluster:
    """The default revision and a canary, and what their control planes have made."""
    made = Cluster()
    made.objects["/api/v1/namespaces/istio-system"] = {
        "metadata": {"name": "istio-system", "labels": {"operator.istio.io/managed": "Reconcile"}}
    }
    for flags in ((), ("revision=canary",)):
        operator = resolve((), [parse_set_flag(flag) for flag in ("profile=minimal", *flags)]).operator
        assert operator is not None
        made.objects |= {path_of(each.object): each.object for each in render(operator)}
    made.add(ROOTS, **{"istio.io/config": "true"})
    for path in (SECRET, LEASE, OTHER_LEASE):
        made.add(path)
    return made


def _silent() -> Progress:
    return Progress(lambda text, finished: None, is_terminal=False)


async def test_a_revision_goes_and_what_is_shared_stays(cluster: Cluster) -> None:
    removal = await of_revision(cluster, "canary")
    await uninstall(cluster, removal, _silent())
    assert cluster.deleted
    assert all("canary" in path for path in cluster.deleted)
    assert not any("canary" in path for path in cluster.objects)
    assert SECRET in cluster.objects
    assert any("customresourcedefinitions" in path for path in cluster.objects)


async def test_nobody_is_asked_any_more_before_who_answers_is_gone(cluster: Cluster) -> None:
    await uninstall(cluster, await of_revision(cluster, "default"), _silent())
    kinds = [path.split("/")[-2] for path in cluster.deleted]
    last = max(place for place, kind in enumerate(kinds) if kind.endswith("webhookconfigurations"))
    assert last < kinds.index("deployments") < kinds.index("clusterroles")


async def test_a_purge_takes_what_the_control_plane_has_made_and_nothing_of_others(cluster: Cluster) -> None:
    removal = await of_everything(cluster)
    left = await left_by_the_control_plane(cluster, removal)
    assert {each["metadata"]["name"] for each in left} == {
        "istio-ca-root-cert", "istio-ca-secret", "istio-webhooks-leader",
    }  # fmt: skip
    await uninstall(cluster, removal, _silent())
    assert set(cluster.objects) == {OTHER_LEASE}
    assert cluster.deleted[-1] == "/api/v1/namespaces/istio-system"


async def test_a_namespace_with_something_of_others_in_it_stays(cluster: Cluster) -> None:
    cluster.add("/api/v1/namespaces/istio-system/configmaps/mine")
    said: list[str] = []
    await uninstall(
        cluster, await of_everything(cluster), Progress(lambda text, finished: said.append(text), is_terminal=False)
    )
    assert "/api/v1/namespaces/istio-system" in cluster.objects
    assert "Namespace istio-system stays: it has ConfigMap mine" in said

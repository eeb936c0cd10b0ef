"""Fixtures of the tests that drive a whole mesh: the demo profile on a local cluster, with Bookinfo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lateen.testing.local_mesh import LocalMesh, described


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They run one after another, beside nothing else: a mesh is dozens of processes, and two cores carry one well."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.mesh)
            # The first one has the making of the mesh to wait for.
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def mesh() -> Iterator[LocalMesh]:
    """A mesh with the demo profile, as Istio's documentation begins.

    A connection that waits for its next request has that one answered as things were when it began, until what listened
    then has drained: for 5 s here, not 45.
    """
    with LocalMesh(nodes=2) as found:
        found.shell("istioctl install --set profile=demo --set meshConfig.defaultConfig.drainDuration=5s -y")
        yield found


@pytest.fixture(scope="session")
def bookinfo(mesh: LocalMesh) -> LocalMesh:
    """The mesh with Bookinfo in the namespace default, open at the ingress gateway; with every subset defined."""
    mesh.shell("kubectl label namespace default istio-injection=enabled")
    mesh.shell("kubectl apply -f samples/bookinfo/platform/kube/bookinfo.yaml")
    mesh.shell("kubectl apply -f samples/bookinfo/networking/bookinfo-gateway.yaml")
    mesh.shell("kubectl apply -f samples/bookinfo/networking/destination-rule-all.yaml")
    try:
        mesh.until_available("default")
    except AssertionError as error:
        error.add_note(described(mesh, ["istio-system", "default"]))
        raise
    return mesh


@pytest.fixture
def room(mesh: LocalMesh) -> Iterator[str]:
    """A namespace with injection for one test."""
    name = mesh.namespace()
    mesh.label_for_injection(name)
    yield name
    mesh.kubectl("delete", "namespace", name, "--wait=false")

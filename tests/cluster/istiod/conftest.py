"""A cluster of its own: tests here kill its API server, and apply and delete the mesh's definitions."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lateen.api.crds import crds
from lateen.testing.local_cluster import LocalCluster


@pytest.fixture(scope="session")
def definitions() -> str:
    return "\n---\n".join(json.dumps(definition) for definition in crds())


@pytest.fixture(scope="session")
def control() -> Iterator[LocalCluster]:
    with LocalCluster(nodes=1) as found:
        yield found


@pytest.fixture
def room(control: LocalCluster) -> Iterator[str]:
    """A new namespace, deleted (without waiting) afterwards."""
    control.up()
    name = control.namespace()
    yield name
    control.kubectl("delete", "namespace", name, "--wait=false")

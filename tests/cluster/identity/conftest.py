"""A cluster of its own: its API server is restarted, and ConfigMaps of all its namespaces are written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lateen.testing.local_cluster import LocalCluster


@pytest.fixture(scope="session")
def control() -> Iterator[LocalCluster]:
    with LocalCluster(nodes=1) as found:
        yield found


@pytest.fixture
def room(control: LocalCluster) -> Iterator[str]:
    """A new namespace, deleted (without waiting) afterwards."""
    name = control.namespace()
    yield name
    control.kubectl("delete", "namespace", name, "--wait=false")

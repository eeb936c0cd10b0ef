"""Fixtures of the tests that drive a real cluster. Every test worker brings up its own, once."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lateen.testing.local_cluster import LocalCluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("cluster"):
            item.add_marker(pytest.mark.skip(reason="needs root: it makes network namespaces"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """A cluster with two nodes that the tests of one worker share: use a namespace of your own."""
    with LocalCluster(nodes=2) as found:
        yield found


@pytest.fixture
def namespace(cluster: LocalCluster) -> Iterator[str]:
    """A new namespace, deleted (without waiting) afterwards."""
    name = cluster.namespace()
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")

"""Fixtures of the tests that drive a real cluster. Every test worker brings up its own, once.

The kubectl that judges is whatever the machine has; Debian's is 1.20. Tests are written for any, with the methods of
LocalCluster (`wait_for`, `token`, `user`) in place of newer commands. What is only there in newer ones is a test of its
own, marked with the version that brought it: `@pytest.mark.kubectl(1, 26)`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from lateen.testing.local_cluster import LocalCluster, kubectl_version

_PROGRAMS = ("kubectl", "nft", "ip", "conntrack", "nsenter")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    absent = [program for program in _PROGRAMS if shutil.which(program) is None]
    reason = "needs root: it makes network namespaces" if os.geteuid() != 0 else f"needs {', '.join(absent)}"
    if os.geteuid() != 0 or absent:
        for item in items:
            if item.get_closest_marker("cluster"):
                item.add_marker(pytest.mark.skip(reason=reason))
        return
    versioned = [(item, marker.args) for item in items if (marker := item.get_closest_marker("kubectl"))]
    ours = kubectl_version() if versioned else (0, 0)
    for item, needed in versioned:
        if ours < needed:
            reason = f"needs kubectl {needed[0]}.{needed[1]} or newer; this machine's is {ours[0]}.{ours[1]}"
            item.add_marker(pytest.mark.skip(reason=reason))


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

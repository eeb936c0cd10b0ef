"""Unmodified clients from PyPI, logged in to the shared cluster as its administrator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kubernetes import client, config

from lateen.testing.local_cluster import LocalCluster


@pytest.fixture
def api(cluster: LocalCluster) -> Iterator[client.ApiClient]:
    """An ApiClient of the `kubernetes` package."""
    with config.new_client_from_config(str(cluster.kubeconfig)) as found:
        yield found

"""Clusters to break: every worker brings up one of its own, apart from the one that other tests share."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from lateen.testing.local_cluster import LocalCluster


@pytest.fixture(scope="session")
def fragile() -> Iterator[LocalCluster]:
    """A cluster with two nodes whose processes the tests may kill."""
    with LocalCluster(nodes=2) as found:
        yield found


@pytest.fixture
def room(fragile: LocalCluster) -> Iterator[str]:
    """A new namespace in the fragile cluster, deleted (without waiting) afterwards."""
    # Whole again, whatever a failed test has left.
    fragile.up()
    name = fragile.namespace()
    yield name
    fragile.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def tls(fragile: LocalCluster) -> ssl.SSLContext:
    """The administrator's."""
    pki = fragile.root / "pki"
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "admin-client.crt", pki / "admin-client.key")
    return context


@pytest.fixture
async def http(fragile: LocalCluster, tls: ssl.SSLContext) -> AsyncIterator[aiohttp.ClientSession]:
    """Plain HTTP as the administrator, with nothing between the test and the API server that retries or hides."""
    server = fragile.kubectl("config", "view", "--raw", "-o", "jsonpath={.clusters[0].cluster.server}")
    async with aiohttp.ClientSession(
        server, connector=aiohttp.TCPConnector(ssl=tls, limit=0), timeout=aiohttp.ClientTimeout(total=60)
    ) as session:
        yield session

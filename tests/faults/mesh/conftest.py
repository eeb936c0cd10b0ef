"""A mesh for faults: Bookinfo with mutual TLS enforced, two replicas of everything, and certificates of short life."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from lateen.testing.load import Load
from lateen.testing.local_mesh import LocalMesh, described, failed_requests

NAMESPACE = "bookinfo"
LEAF_SECONDS = 40
"""So that every certificate is exchanged while each of the tests runs."""
_STRICT = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
"""
_COMPLAINTS = ("Error fetching product", "currently unavailable")
"""Productpage answers 200 also when something behind it failed."""
_COUNTS = pytest.StashKey[list[tuple[str, int, int]]]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            item.add_marker(pytest.mark.mesh)
            item.add_marker(pytest.mark.timeout(300))


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_COUNTS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What docs/reliability.md shows."""
    if counts := config.stash.get(_COUNTS, []):
        terminalreporter.section("requests under faults")
        for name, good, failed in counts:
            terminalreporter.line(f"{name:50} {good + failed:6} sent {failed:4} failed")


@pytest.fixture(scope="session")
def mesh() -> Iterator[LocalMesh]:
    with LocalMesh(nodes=2) as found:
        found.install(
            "--set", "profile=demo",
            "--set", f"meshConfig.defaultConfig.proxyMetadata.SECRET_TTL={LEAF_SECONDS}s",
            "--set", f"values.pilot.env.MAX_WORKLOAD_CERT_TTL={LEAF_SECONDS}s",
            "--set", "values.pilot.env.LATEEN_ROTATION_LAG=30s",
        )  # fmt: skip
        found.apply(_STRICT)
        found.kubectl("create", "namespace", NAMESPACE)
        found.label_for_injection(NAMESPACE)
        for name in ("platform/kube/bookinfo", "networking/bookinfo-gateway", "networking/destination-rule-all"):
            found.shell(f"kubectl apply -n {NAMESPACE} -f samples/bookinfo/{name}.yaml")
        found.kubectl("scale", "-n", NAMESPACE, "deployment", "--all", "--replicas=2")
        found.kubectl("scale", "-n", "istio-system", "deployment", "istio-ingressgateway", "--replicas=2")
        try:
            found.until_available("istio-system")
            found.until_available(NAMESPACE)
        except AssertionError as error:
            error.add_note(described(found, ["istio-system", NAMESPACE]))
            raise
        yield found


@pytest_asyncio.fixture
async def load(mesh: LocalMesh, request: pytest.FixtureRequest) -> AsyncIterator[Load]:
    """Requests through the gateway and all of Bookinfo for the time of the test; none may fail."""
    url = f"http://{mesh.gateway_address()}/productpage"
    # Each test leaves a mesh behind that serves; only then the next begins.
    calls = Load(url, "bookinfo.example.com", callers=3, unwanted=_COMPLAINTS)
    try:
        async with calls:
            await calls.more(50)
            yield calls
            await calls.more(50)
    except AssertionError as error:
        error.add_note(failed_requests(mesh, ["istio-system", NAMESPACE]))
        raise
    finally:
        count = (request.node.name.removeprefix("test_"), calls.good, sum(calls.failures.values()))
        request.config.stash[_COUNTS].append(count)

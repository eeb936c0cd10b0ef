"""A mesh for faults: Bookinfo with mutual TLS enforced, two replicas of everything, and certificates of short life."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from lateen.testing.load import Load
from lateen.testing.local_mesh import REPOSITORY, LocalMesh, described, failed_requests

NAMESPACE = "bookinfo"
LEAF_SECONDS = 60
LEFT = 0.75
"""Certificates are exchanged when so much of their life is left: often, and long before they end, so that nobody misses
who issues them for a while."""
PATIENCE = 15
"""Seconds that Bookinfo waits for its own services: it is to notice what is lost, not that a machine is busy."""
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
            item.add_marker(pytest.mark.timeout(900))


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_COUNTS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What docs/reliability.md shows."""
    if counts := config.stash.get(_COUNTS, []):
        terminalreporter.section("requests under faults")
        for name, good, failed in counts:
            terminalreporter.line(f"{name:50} {good + failed:6} sent {failed:4} failed")


def _bookinfo() -> str:
    """Its manifest, with two replicas of everything, and patience."""
    objects = list(yaml.safe_load_all((REPOSITORY / "samples/bookinfo/platform/kube/bookinfo.yaml").read_text()))
    for each in objects:
        if each["kind"] == "Deployment":
            each["spec"]["replicas"] = 2
            for container in each["spec"]["template"]["spec"]["containers"]:
                container.setdefault("env", []).append({"name": "UPSTREAM_SECONDS", "value": str(PATIENCE)})
    return yaml.safe_dump_all(objects)


@pytest.fixture(scope="session")
def mesh() -> Iterator[LocalMesh]:
    with LocalMesh(nodes=2) as found:
        found.install(
            "--set", "profile=demo",
            "--set", f"meshConfig.defaultConfig.proxyMetadata.SECRET_TTL={LEAF_SECONDS}s",
            "--set", f'meshConfig.defaultConfig.proxyMetadata.SECRET_GRACE_PERIOD_RATIO="{LEFT}"',
            "--set", f"values.pilot.env.MAX_WORKLOAD_CERT_TTL={LEAF_SECONDS}s",
            "--set", "values.pilot.env.LATEEN_ROTATION_LAG=30s",
        )  # fmt: skip
        found.apply(_STRICT)
        found.kubectl("create", "namespace", NAMESPACE)
        found.label_for_injection(NAMESPACE)
        found.apply(_bookinfo(), "-n", NAMESPACE)
        for name in ("bookinfo-gateway", "destination-rule-all"):
            found.shell(f"kubectl apply -n {NAMESPACE} -f samples/bookinfo/networking/{name}.yaml")
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
    calls = Load(url, "bookinfo.example.com", callers=3, unwanted=_COMPLAINTS, settled=30, seconds=60)
    try:
        async with calls:
            await calls.more(50)
            yield calls
            await calls.more(50)
    except (AssertionError, TimeoutError) as error:
        error.add_note(failed_requests(mesh, ["istio-system", NAMESPACE]))
        raise
    finally:
        count = (request.node.name.removeprefix("test_"), calls.good, sum(calls.failures.values()))
        request.config.stash[_COUNTS].append(count)

"""The tasks about resilience that people know from the documentation: faults, timeouts, retries, limits, localities.

One mesh of manifests as users write them, one istiod, the sidecar of a caller; each scenario is a service of its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from lateen.testing.task_caller import Caller, http_pods
from lateen.testing.task_mesh import TaskMesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: ratings}
spec: {selector: {app: ratings}, ports: [{name: http, port: $port_http, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: few}
spec: {selector: {app: httpbin}, ports: [{name: http, port: $port_http, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: fragile}
spec: {selector: {app: httpbin}, ports: [{name: http, port: $port_http, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: near}
spec: {selector: {app: zoned}, ports: [{name: http, port: $port_http, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: spread}
spec: {selector: {app: zoned}, ports: [{name: http, port: $port_http, targetPort: http}]}
"""

RESILIENCE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ratings}
spec:
  hosts: [ratings]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    fault: {abort: {percentage: {value: 100}, httpStatus: 418}}
    route: [{destination: {host: ratings}}]
  - match: [{headers: {end-user: {exact: slow}}}]
    fault: {delay: {percentage: {value: 100}, fixedDelay: 0.4s}}
    route: [{destination: {host: ratings}}]
  - match: [{uri: {prefix: /impatient}}]
    timeout: 3s
    route: [{destination: {host: ratings}}]
  - match: [{uri: {prefix: /again}}]
    retries: {attempts: 2, perTryTimeout: 30s, retryOn: "5xx,418"}
    route: [{destination: {host: ratings}}]
  - match: [{uri: {prefix: /once}}]
    retries: {attempts: 0}
    route: [{destination: {host: ratings}}]
  - route: [{destination: {host: ratings}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: few}
spec:
  host: few
  trafficPolicy:
    connectionPool:
      tcp: {maxConnections: 1}
      http: {http1MaxPendingRequests: 1, maxRequestsPerConnection: 1}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: fragile}
spec:
  host: fragile
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 1, interval: 0.1s, baseEjectionTime: 3m, maxEjectionPercent: 100}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: fragile}
spec:
  hosts: [fragile]
  http: [{retries: {attempts: 0}, route: [{destination: {host: fragile}}]}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: near}
spec:
  host: near
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1, interval: 1s, baseEjectionTime: 1m}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: spread}
spec:
  host: spread
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 100}
    loadBalancer:
      localityLbSetting:
        enabled: true
        distribute:
        - from: region1/zone1/*
          to: {"region1/zone1/*": 50, "region1/zone2/*": 20, "region2/zone3/*": 30}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    mesh = TaskMesh(tmp_path_factory.mktemp("tasks"))
    async with AsyncExitStack() as stack:
        zones = ("region1.zone1", "region1.zone2", "region2.zone3")
        pods = await http_pods(
            stack,
            [
                ("ratings", "v1", {"version": "v1"}),
                *(("httpbin", version, {"version": version}) for version in ("v1", "v2")),
                *(("zoned", zone.replace(".", "-"), {"istio_locality": zone}) for zone in zones),
            ],
        )
        mesh.apply("services", SERVICES, *pods)
        mesh.apply("resilience", RESILIENCE)
        await stack.enter_async_context(mesh)
        yield Caller(mesh, await mesh.proxy("caller", 1, locality={"region": "region1", "zone": "zone1"}))


async def test_fault_injection(caller: Caller) -> None:
    assert (await caller.get("ratings", end_user="jason")).status == 418
    started = asyncio.get_running_loop().time()
    assert (await caller.get("ratings", end_user="slow")).status == 200
    assert asyncio.get_running_loop().time() - started >= 0.35
    assert (await caller.get("ratings")).status == 200


async def test_request_timeouts(caller: Caller) -> None:
    assert (await caller.get("ratings", "/impatient", x_answer_delay="10")).status == 504
    assert (await caller.get("ratings", "/impatient")).status == 200
    assert (await caller.get("ratings", "/", x_answer_delay="0.5")).status == 200, "there is none by default"


@pytest.mark.parametrize(
    ("path", "status", "attempts"),
    [("/again", 503, 3), ("/again", 418, 3), ("/again", 404, 1), ("/once", 503, 1), ("/", 503, 1)],
)
async def test_retries(caller: Caller, path: str, status: int, attempts: int) -> None:
    """By default what a server answers is not asked for again; what it did not get is."""
    answer = await caller.get("ratings", path, x_answer_status=str(status))
    assert (answer.status, answer.sent["x-envoy-attempt-count"]) == (status, str(attempts))


async def test_circuit_breaking(caller: Caller) -> None:
    answers = await asyncio.gather(*(caller.get("few", x_answer_delay="2") for _ in range(6)))
    statuses = Counter(answer.status for answer in answers)
    assert set(statuses) == {200, 503}
    assert statuses[503] >= 3
    assert {answer.headers.get("x-envoy-overloaded") for answer in answers if answer.status == 503} == {"true"}
    name = f"outbound|{caller.mesh.port('http')}||few.default.svc.cluster.local"
    found = await asyncio.to_thread(caller.proxy.stats, "few.*upstream_rq_pending_overflow")
    assert found[f"cluster.{name};.upstream_rq_pending_overflow"] == statuses[503]


async def test_outlier_detection(caller: Caller) -> None:
    """A server that errs is left alone; when both are, there is nobody left, and no panic."""

    async def nobody_left() -> bool:
        answer = await caller.get("fragile", x_answer_status="500")
        return answer.body == "no healthy upstream"

    assert (await caller.get("fragile", x_answer_status="500")).status == 500
    for _ in range(1000):
        if await nobody_left():
            break
        await asyncio.sleep(0.02)
    assert (await caller.get("fragile")).status == 503


async def test_the_nearest_zone_first(caller: Caller) -> None:
    assert await caller.names(20, "near") == {"region1-zone1": 20}


async def test_distribution_over_zones(caller: Caller) -> None:
    found = await caller.names(200, "spread")
    assert sum(found.values()) == 200
    assert 60 <= found["region1-zone1"] <= 140
    assert 15 <= found["region1-zone2"] <= 75
    assert 25 <= found["region2-zone3"] <= 95

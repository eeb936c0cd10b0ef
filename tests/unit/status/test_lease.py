from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lateen.status.lease import Lease, LeaseTerms
from lateen.testing.memory_api import MemoryApi
from lateen.testing.until import until

PATH = "/apis/coordination.k8s.io/v1/namespaces/istio-system/leases/work"
TERMS = LeaseTerms(duration=600.0, deadline=300.0, interval=0.005)


class Worker:
    """Does its work while it holds the Lease, and tells whether it does."""

    def __init__(self, api: MemoryApi, identity: str, terms: LeaseTerms = TERMS) -> None:
        self.lease = Lease(api, namespace="istio-system", name="work", identity=identity, terms=terms)
        self.working = False
        self.begun = 0

    async def _work(self) -> None:
        self.working = True
        self.begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.working = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.lease.run_while_held(self._work))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture
def api() -> MemoryApi:
    return MemoryApi()


async def test_a_lease_that_is_free_is_taken_and_renewed(api: MemoryApi) -> None:
    worker = Worker(api, "one")
    async with worker.running():
        await until(lambda: worker.working)
        spec = api.objects[PATH]["spec"]
        assert spec["holderIdentity"] == "one"
        assert (spec["leaseDurationSeconds"], spec["leaseTransitions"]) == (600, 0)
        await until(lambda: api.objects[PATH]["spec"]["renewTime"] != spec["renewTime"])
        assert api.objects[PATH]["spec"]["acquireTime"] == spec["acquireTime"]
        assert worker.begun == 1


async def test_only_one_works_and_the_next_takes_over_at_once(api: MemoryApi) -> None:
    one, two = Worker(api, "one"), Worker(api, "two")
    async with two.running():
        await until(lambda: two.working)
        async with one.running():
            await until(lambda: one.lease.holder == "two")
            assert not one.working
            # Whoever leaves in order lets the next one in without a wait.
    async with one.running():
        await until(lambda: one.working)
        assert not two.working
        assert api.objects[PATH]["spec"]["leaseTransitions"] == 1


async def test_a_lease_that_nobody_renews_is_abandoned(api: MemoryApi) -> None:
    dead = {"holderIdentity": "dead", "leaseDurationSeconds": 0, "renewTime": "2999-01-01T00:00:00.000000Z"}
    api.put(PATH, {"metadata": {"name": "work"}, "spec": dead})
    worker = Worker(api, "one")
    async with worker.running():
        await until(lambda: worker.working)


async def test_a_holder_that_cannot_renew_stops_working_in_time(api: MemoryApi) -> None:
    worker = Worker(api, "one", LeaseTerms(duration=1.0, deadline=0.2, interval=0.005))
    async with worker.running():
        await until(lambda: worker.working)
        api.fail = lambda method, path: ConnectionError("no route")
        await until(lambda: not worker.working)
        api.fail = lambda method, path: None
        await until(lambda: worker.working)


async def test_a_holder_that_was_displaced_stops_working(api: MemoryApi) -> None:
    worker = Worker(api, "one")
    async with worker.running():
        await until(lambda: worker.working)
        taken = {**api.objects[PATH]["spec"], "holderIdentity": "two", "leaseDurationSeconds": 100}
        api.put(PATH, {**api.objects[PATH], "spec": taken})
        await until(lambda: not worker.working)
        assert worker.lease.holder != "one"


@pytest.mark.parametrize("status", [403, 409, 500])
async def test_a_refusal_is_no_lease(api: MemoryApi, status: int) -> None:
    api.fail = lambda method, path: status if method != "GET" else None
    worker = Worker(api, "one")
    async with worker.running():
        await until(lambda: len(api.requests) > 6)
        assert not worker.working


async def test_work_that_fails_begins_anew(api: MemoryApi) -> None:
    lease = Lease(api, namespace="istio-system", name="work", identity="one", terms=LeaseTerms(0.01, 0.2, 0.005))
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        raise RuntimeError("broken")

    task = asyncio.create_task(lease.run_while_held(work))
    await until(lambda: attempts >= 3)
    task.cancel()
    await asyncio.wait([task])

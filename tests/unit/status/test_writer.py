from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lateen.api.objects import Key, ObjectRef
from lateen.api.schema.fault import error, warning
from lateen.status.findings import Report
from lateen.status.writer import StatusWriter, WriterPace
from lateen.testing.memory_api import MemoryApi
from lateen.testing.until import until

A, B = ObjectRef("VirtualService", Key("default", "a")), ObjectRef("VirtualService", Key("default", "b"))
PATH = "/apis/networking.istio.io/{}/namespaces/default/virtualservices/{}"
PATH_A, PATH_B = PATH.format("v1", "a"), PATH.format("v1", "b")
PACE = WriterPace(interval=0.001, retry=0.01, refused_retry=100)


class World:
    def __init__(self) -> None:
        self.api = MemoryApi()
        self.reports: dict[ObjectRef, Report] = {}
        self.writer = StatusWriter(self.api, self.reports.get, lambda: list(self.reports), pace=PACE)

    def have(self, ref: ObjectRef, report: Report, path: str, **body: Any) -> None:
        self.reports[ref] = report
        self.api.put(path, {"metadata": {"name": ref.key.name}, "spec": {}, **body})

    def say(self, ref: ObjectRef, report: Report) -> None:
        self.reports[ref] = report
        self.writer.put(ref)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.writer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    def reconciled(self, path: str) -> str:
        conditions = self.api.objects[path].get("status", {}).get("conditions", [])
        return next((each["status"] for each in conditions if each["type"] == "Reconciled"), "")

    def patches(self) -> list[str]:
        return [path for method, path in self.api.requests if method == "PATCH"]


@pytest.fixture
def world() -> World:
    found = World()
    found.have(A, Report(1, False, True), PATH_A)
    return found


async def test_begins_with_everything_and_goes_on_with_what_is_put(world: World) -> None:
    async with world.running():
        await until(lambda: world.reconciled(PATH_A) == "True")
        world.say(A, Report(2, True, True, (error("spec.hosts", "wrong"),)))
        await until(lambda: world.reconciled(PATH_A) == "False")
        status = world.api.objects[PATH_A]["status"]
        assert status["observedGeneration"] == 2
        assert status["validationMessages"][0]["path"] == "spec.hosts"
        world.say(A, Report(3, False, True))
        await until(lambda: "validationMessages" not in world.api.objects[PATH_A]["status"])
    assert world.writer.written == 3


async def test_what_is_right_already_is_not_written(world: World) -> None:
    async with world.running():
        await until(lambda: world.reconciled(PATH_A) == "True")
        asked = len(world.api.requests)
        world.writer.put(A)
        await until(lambda: len(world.api.requests) > asked)
    async with world.running():
        await until(lambda: len(world.api.requests) > asked + 1)
    assert len(world.patches()) == 1


async def test_the_spec_is_left_alone(world: World) -> None:
    world.have(A, Report(1, False, True), PATH_A, spec={"hosts": ["a"]}, status={"theirs": 1})
    async with world.running():
        await until(lambda: world.reconciled(PATH_A) == "True")
    assert world.api.objects[PATH_A]["spec"] == {"hosts": ["a"]}
    assert world.api.objects[PATH_A]["status"]["theirs"] == 1


async def test_a_conflict_is_looked_at_again(world: World) -> None:
    conflicts = 3

    def change_under_it(method: str, path: str) -> None:
        nonlocal conflicts
        if method == "PATCH" and conflicts:
            conflicts -= 1
            world.api.put(PATH_A, world.api.objects[PATH_A])

    world.api.fail = change_under_it
    async with world.running():
        await until(lambda: world.reconciled(PATH_A) == "True")
    assert len(world.patches()) == 4


@pytest.mark.parametrize("failure", [500, 503, 429, ConnectionError("no route"), TimeoutError()])
async def test_a_failure_that_passes_delays_and_loses_nothing(world: World, failure: int | Exception) -> None:
    world.have(B, Report(1, False, True), PATH_B)
    failures = 3

    def fail(method: str, path: str) -> int | Exception | None:
        nonlocal failures
        failures -= 1
        return failure if failures >= 0 else None

    world.api.fail = fail
    async with world.running():
        await until(lambda: world.reconciled(PATH_A) == world.reconciled(PATH_B) == "True")


async def test_a_kind_that_may_not_be_written_is_let_be(world: World, caplog: pytest.LogCaptureFixture) -> None:
    gateway = ObjectRef("Gateway", Key("default", "g"))
    path = "/apis/networking.istio.io/v1/namespaces/default/gateways/g"
    world.have(B, Report(1, False, True), PATH_B)
    world.have(gateway, Report(1, False, True), path)
    world.api.fail = lambda method, path: 403 if method == "PATCH" and "virtualservices" in path else None
    async with world.running():
        await until(lambda: world.reconciled(path) == "True")
        world.writer.put(A)
        world.writer.put(B)
    assert len([path for path in world.patches() if "virtualservices" in path]) == 1
    assert len([record for record in caplog.records if "cannot be written" in record.message]) == 1


async def test_the_version_that_the_server_serves(world: World) -> None:
    old = PATH.format("v1beta1", "b")
    del world.reports[A]
    world.have(B, Report(1, False, True), old)
    async with world.running():
        await until(lambda: world.reconciled(old) == "True")
        world.say(B, Report(2, False, True, (warning("", "odd"),)))
        await until(lambda: world.api.objects[old]["status"]["observedGeneration"] == 2)


async def test_what_has_no_status_there(world: World) -> None:
    """Objects of files, of other clusters, of kinds that are not ours, and those that are gone."""
    file = ObjectRef("VirtualService", Key("default", "file"))
    remote = ObjectRef("VirtualService", Key("default", "a", "west"))
    service = ObjectRef("Service", Key("default", "a"))
    world.reports |= dict.fromkeys((file, remote, service), Report(1, False, True))
    async with world.running():
        await until(lambda: world.reconciled(PATH_A) == "True")
        del world.reports[A]
        world.writer.put(A)
        await until(lambda: not world.writer._queue)
    assert world.patches() == [f"{PATH_A}/status"]


async def test_what_is_put_while_nobody_writes_is_written_by_whoever_begins(world: World) -> None:
    world.say(A, Report(7, False, True))
    async with world.running():
        await until(lambda: world.reconciled(PATH_A) == "True")
    assert world.api.objects[PATH_A]["status"]["observedGeneration"] == 7

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from lateen.cluster.node.status_reporter import StatusReporter
from lateen.cluster.objects import Obj
from lateen.cluster.status import StatusError, internal_error, not_found

POD = {"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": {}, "status": {}}
RUNNING = {"phase": "Running", "conditions": []}


class Api:
    """Takes patches, after the given failures."""

    def __init__(self, *failures: StatusError) -> None:
        self.failures = list(failures)
        self.told: list[Obj] = []
        self.heard = asyncio.Event()

    async def patch(self, _gvr: Any, _key: Any, patch: Obj, **_options: Any) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.told.append(patch["status"])
        self.heard.set()


def reporter(api: Api, status: Obj, pod: Obj | None = POD) -> StatusReporter:
    return StatusReporter(cast(Any, api), lambda: pod, lambda: dict(status))


async def test_the_same_is_not_told_twice() -> None:
    api, status = Api(), dict(RUNNING)
    made = reporter(api, status)
    await made.send()
    await made.send()
    assert [told["phase"] for told in api.told] == ["Running"]
    status["phase"] = "Failed"
    await made.send()
    assert [told["phase"] for told in api.told] == ["Running", "Failed"]


async def test_nothing_is_told_of_a_pod_that_is_gone() -> None:
    api = Api()
    await reporter(api, RUNNING, None).send()
    vanished = reporter(Api(not_found("", "pods", "p")), RUNNING)
    await vanished.send()
    assert api.told == []
    assert vanished.sent == RUNNING


async def test_what_failed_is_told_again() -> None:
    api = Api(internal_error("later"))
    made = reporter(api, RUNNING)
    with pytest.raises(StatusError):
        await made.send()
    api.failures.append(internal_error("still"))
    running = asyncio.create_task(made.run())
    made.changed()
    async with asyncio.timeout(60):
        await api.heard.wait()
    running.cancel()
    assert len(api.told) == 1

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from lateen.identity.rounds import RoundsPace
from lateen.testing.memory_api import MemoryAnswer
from lateen.webhooks.bundles import MUTATING, VALIDATING, WebhookBundles

GATEWAYS = "/apis/networking.istio.io/v1/namespaces/istio-system/gateways"


class Registrations:
    """An API server with two sorts of registrations, that applies JSON patches as far as they are needed here."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, dict[str, Any]]] = {MUTATING: {}, VALIDATING: {}}
        self.patches: list[str] = []
        self.probes = 0
        self.probe = MemoryAnswer(400, {"message": 'admission webhook "v" denied the request: spec.servers: none'})
        self.event = asyncio.Event()
        self._version = 0

    def put(self, path: str, name: str, *webhooks: dict[str, Any]) -> None:
        self._version += 1
        metadata = {"name": name, "resourceVersion": str(self._version)}
        self.objects[path][name] = {"metadata": metadata, "webhooks": list(webhooks)}
        self.event.set()

    def webhook(self, path: str, name: str, index: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = self.objects[path][name]["webhooks"][index]
        return found

    async def send(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> MemoryAnswer:
        if method == "POST":
            assert (path, dict(parameters or {})) == (GATEWAYS, {"dryRun": "All"})
            self.probes += 1
            return self.probe
        if method == "GET":
            return MemoryAnswer(200, json.loads(json.dumps({"items": list(self.objects[path].values())})))
        place, _, name = path.rpartition("/")
        found = self.objects[place][name]
        assert content_type == "application/json-patch+json"
        if body[0] != {
            "op": "test",
            "path": "/metadata/resourceVersion",
            "value": found["metadata"]["resourceVersion"],
        }:
            return MemoryAnswer(422, {"message": "the test failed"})
        for each in body[1:]:
            *parts, last = each["path"].split("/")[1:]
            target: Any = found
            for part in parts:
                target = target[int(part)] if isinstance(target, list) else target[part]
            target[last] = each["value"]
        self._version += 1
        found["metadata"]["resourceVersion"] = str(self._version)
        self.patches.append(name)
        return MemoryAnswer(200, found)

    async def watch(self, path: str, parameters: Mapping[str, str]) -> AsyncGenerator[tuple[Any, ...], None]:
        yield ()
        while True:
            await self.event.wait()
            self.event.clear()
            yield ("something",)


def ours(**more: Any) -> dict[str, Any]:
    service = {"namespace": "istio-system", "name": "istiod", "path": "/inject"}
    return {"clientConfig": {"service": service}, "failurePolicy": "Fail", **more}


def theirs(**service: str) -> dict[str, Any]:
    return {
        "clientConfig": {"service": {"namespace": "istio-system", "name": "istiod", **service}},
        "failurePolicy": "Ignore",
    }


@pytest.fixture
def api() -> Registrations:
    return Registrations()


def bundles(api: Registrations, roots: str = "ROOTS") -> WebhookBundles:
    pace = RoundsPace(spacing=0.001, interval=60, retry=0.01)
    return WebhookBundles(api, lambda: roots, namespace="istio-system", service="istiod", pace=pace)


async def test_ours_trust_our_roots_and_others_are_left_alone(api: Registrations) -> None:
    api.put(MUTATING, "injector", ours(), theirs(name="istiod-canary"), ours())
    api.put(MUTATING, "others", theirs(namespace="elsewhere"), {"clientConfig": {"url": "https://x"}})
    assert await bundles(api).round()
    for index in (0, 2):
        assert b64decode(api.webhook(MUTATING, "injector", index)["clientConfig"]["caBundle"]) == b"ROOTS"
    assert "caBundle" not in api.webhook(MUTATING, "injector", 1)["clientConfig"]
    assert await bundles(api).round()
    assert api.patches == ["injector"]
    assert await bundles(api, "OTHER").round()
    assert b64decode(api.webhook(MUTATING, "injector")["clientConfig"]["caBundle"]) == b"OTHER"


async def test_nothing_is_written_without_roots(api: Registrations) -> None:
    api.put(MUTATING, "injector", ours())
    assert not await bundles(api, "").round()
    assert api.patches == []


@pytest.mark.parametrize(
    "answer",
    [
        MemoryAnswer(201, {}),
        MemoryAnswer(404, {"message": "no such resource"}),
        MemoryAnswer(500, {"message": "failed calling webhook"}),
    ],
)
async def test_validation_is_enforced_once_it_is_seen_to_work(api: Registrations, answer: MemoryAnswer) -> None:
    api.put(VALIDATING, "validator", ours(failurePolicy="Ignore"), theirs(namespace="elsewhere"))
    works, api.probe = api.probe, answer
    keeper = bundles(api)
    assert not await keeper.round()
    assert api.webhook(VALIDATING, "validator")["failurePolicy"] == "Ignore"
    api.probe = works
    assert await keeper.round()
    assert api.webhook(VALIDATING, "validator")["failurePolicy"] == "Fail"
    assert api.webhook(VALIDATING, "validator", 1)["failurePolicy"] == "Ignore"
    # Seen once is seen for good.
    probes = api.probes
    api.put(VALIDATING, "validator", ours(failurePolicy="Ignore"))
    assert await keeper.round()
    assert api.webhook(VALIDATING, "validator")["failurePolicy"] == "Fail"
    assert api.probes == probes


async def test_whatever_somebody_changes_is_changed_back(api: Registrations) -> None:
    api.put(MUTATING, "injector", ours())
    task = asyncio.create_task(bundles(api).run())
    try:
        for _ in range(3):
            async with asyncio.timeout(60):
                while api.webhook(MUTATING, "injector")["clientConfig"].get("caBundle") is None:
                    await asyncio.sleep(0.005)
            api.put(MUTATING, "injector", ours())
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert len(api.patches) >= 3

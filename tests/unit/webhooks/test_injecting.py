"""POST /inject, asked as an API server asks."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from lateen.api.objects import Key
from lateen.api.parse import parse
from lateen.engine import Engine
from lateen.injection.inject import inject
from lateen.injection.values import AutoInject
from lateen.model.inputs import PROXY_CONFIGS
from lateen.testing.injected_pods import pod
from lateen.testing.memory_api import MemoryApi
from lateen.webhooks import injecting
from lateen.webhooks.admission import read_review
from lateen.webhooks.events import EventLimits, Events
from lateen.webhooks.injecting import Injecting
from lateen.webhooks.injection_configuration import InjectionConfiguration
from lateen.webhooks.injection_url import proxy_environment


class _Api(MemoryApi):
    async def watch(self, path: str, parameters: Mapping[str, str]) -> Any:
        yield ()


class _Asked:
    """An injector and what it is asked."""

    def __init__(self, config: str = "", values: str = "{}") -> None:
        self.api = _Api()
        self.engine = Engine()
        self.configuration = InjectionConfiguration(self.api, namespace="istio-system", revision="")
        self.configuration.take({"config": config, "values": values})
        self.events = Events(self.api, identity="istiod-0")
        self.injecting = Injecting(self.engine, self.configuration, self.events)

    async def about(self, given: Mapping[str, Any], version: str = "v1", **request: Any) -> dict[str, Any]:
        review = {
            "apiVersion": f"admission.k8s.io/{version}",
            "kind": "AdmissionReview",
            "request": {"uid": "u1", "operation": "CREATE", "namespace": "shop", "object": given, **request},
        }
        answer = json.loads(await self.injecting.judge(read_review(json.dumps(review).encode()), {}))
        assert answer["apiVersion"] == f"admission.k8s.io/{version}"
        assert answer["response"]["uid"] == "u1"
        response: dict[str, Any] = answer["response"]
        return response

    async def written(self) -> list[dict[str, Any]]:
        """The events, once they are written."""
        task = asyncio.create_task(self.events.run())
        while self.events._waiting.qsize():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        return [each for path, each in self.api.objects.items() if "/events/" in path]


def _patch(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(base64.b64decode(response["patch"]))
    return found


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
async def test_a_pod_gets_a_patch(version: str) -> None:
    asked = _Asked()
    response = await asked.about(pod(), version)
    assert response["allowed"]
    assert response["patchType"] == "JSONPatch"
    added = [each["path"] for each in _patch(response)]
    assert "/spec/initContainers" in added
    assert not any(path.startswith("/metadata/namespace") for path in added)
    assert response["auditAnnotations"]["injected"] == "true"
    assert asked.injecting.outcomes == {"injected": 1}


async def test_why_a_pod_is_not_injected_is_a_warning_an_audit_annotation_and_an_event_on_its_owner() -> None:
    asked = _Asked("policy: disabled")
    given = pod()
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "9", "controller": True}
    given["metadata"]["ownerReferences"] = [owner]
    for _ in range(3):
        response = await asked.about(given)
    assert response["allowed"]
    assert "patch" not in response
    assert "policy is disabled" in response["warnings"][0]
    assert response["auditAnnotations"]["injected"] == "false"
    (event,) = await asked.written()
    assert event["involvedObject"] == {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web-1",
        "uid": "9",
        "namespace": "shop",
    }
    assert event["reason"] == "NotInjected"
    assert event["type"] == "Normal"


async def test_a_pod_that_cannot_be_injected_is_refused_with_the_place() -> None:
    asked = _Asked()
    response = await asked.about(pod({"sidecar.istio.io/proxyCPU": "lots"}))
    assert not response["allowed"]
    cause = response["status"]["details"]["causes"][0]
    assert cause["field"] == "metadata.annotations[sidecar.istio.io/proxyCPU]"
    (event,) = await asked.written()
    assert event["reason"] == "InjectionFailed"
    assert event["type"] == "Warning"
    assert event["involvedObject"]["kind"] == "Namespace"


async def test_a_dry_run_leaves_no_event() -> None:
    asked = _Asked("policy: disabled")
    await asked.about(pod(), dryRun=True)
    assert await asked.written() == []


async def test_proxy_configs_of_the_mesh_count() -> None:
    asked = _Asked()
    spec = {"concurrency": 7}
    metadata = {"name": "p", "namespace": "shop"}
    found = parse(
        {"apiVersion": "networking.istio.io/v1beta1", "kind": "ProxyConfig", "metadata": metadata, "spec": spec}
    )
    with asked.engine.change() as tx:
        tx.set(PROXY_CONFIGS, Key("shop", "p"), found.value)
    assert "--concurrency" in json.dumps(_patch(await asked.about(pod())))


async def test_users_templates_are_rendered_beside_the_event_loop() -> None:
    asked = _Asked("templates: {own: 'metadata: {labels: {a: b}}'}\ndefaultTemplates: [own]")
    response = await asked.about(pod())
    assert {"op": "add", "path": "/metadata/labels/a", "value": "b"} in _patch(response)


async def test_what_is_large_is_injected_beside_everything_else_and_one_after_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, gate, begun = _Asked(), threading.Event(), []

    def slow(*given: Any) -> Any:
        begun.append(given)
        assert gate.wait(120)
        return inject(*given)

    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {"uid": "u1", "operation": "CREATE", "namespace": "shop", "object": pod()},
    }
    request = read_review(json.dumps(review).encode())
    with monkeypatch.context() as patched:
        patched.setattr(injecting, "inject", slow)
        large = [asyncio.create_task(asked.injecting.judge(request, {}, large=True)) for _ in range(3)]
        async with asyncio.timeout(120):
            while not begun:
                await asyncio.sleep(0)
        # Its caller has given up: the next one waits for its end all the same.
        large[0].cancel()
        await asyncio.wait(large[:1])
    assert (await asked.about(pod()))["allowed"]
    assert len(begun) == 1
    gate.set()
    answers = await asyncio.gather(*large[1:])
    assert all(json.loads(answer)["response"]["patchType"] == "JSONPatch" for answer in answers)


async def test_no_pod_holds_up_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, gate, begun = _Asked(), threading.Event(), threading.Event()

    def slow(*given: Any) -> Any:
        begun.set()
        assert gate.wait(120)
        return inject(*given)

    monkeypatch.setattr(injecting, "inject", slow)
    answer = asyncio.create_task(asked.about(pod()))
    async with asyncio.timeout(120):
        while not begun.is_set():
            await asyncio.sleep(0)
    gate.set()
    assert (await answer)["patchType"] == "JSONPatch"


async def test_a_name_that_is_none_is_not_looked_up() -> None:
    asked = _Asked()
    response = await asked.about(pod() | {"metadata": {"name": "a", "namespace": "x" * 300}}, namespace="")
    assert response["status"]["message"] == "metadata.namespace: expected a name, got 300 characters"
    assert not asked.engine.statistics().nodes


async def test_only_what_comes_into_being_is_injected() -> None:
    response = await _Asked().about(pod(), operation="UPDATE")
    assert response == {"uid": "u1", "allowed": True}


async def test_a_wrong_configuration_does_not_replace_a_good_one() -> None:
    asked = _Asked("policy: disabled")
    asked.configuration.take({"config": "policy: nonsense", "values": "{}"})
    assert asked.configuration.faults[0].path == "config.policy"
    assert "policy is disabled" in (await asked.about(pod()))["warnings"][0]


async def test_a_change_of_the_config_map_counts_for_the_next_pod() -> None:
    asked = _Asked("policy: disabled")
    path = "/api/v1/namespaces/istio-system/configmaps/istio-sidecar-injector"
    assert not await asked.configuration.round(), "there is none yet"
    asked.api.put(path, {"data": {"config": "policy: enabled", "values": "{}"}})
    asked.api.put("/version", {"major": "1", "minor": "28+"})
    assert await asked.configuration.round()
    assert asked.configuration.version == (1, 28)
    response = await asked.about(pod())
    assert any(each["path"] == "/spec/containers/1" for each in _patch(response)), "a classic sidecar"


async def test_a_change_is_seen_by_the_watch() -> None:
    changed = asyncio.Event()

    class _Watched(_Api):
        async def watch(self, path: str, parameters: Mapping[str, str]) -> Any:
            assert parameters == {"fieldSelector": "metadata.name=istio-sidecar-injector-blue"}
            yield ()
            await changed.wait()
            yield ("an event",)
            await asyncio.Event().wait()

    api = _Watched()
    path = "/api/v1/namespaces/istio-system/configmaps/istio-sidecar-injector-blue"
    api.put(path, {"data": {"config": "policy: disabled"}})
    configuration = InjectionConfiguration(api, namespace="istio-system", revision="blue")
    task = asyncio.create_task(configuration.run())
    async with asyncio.timeout(60):
        while configuration.current is None:
            await asyncio.sleep(0)
        assert configuration.current.policy is AutoInject.DISABLED
        api.put(path, {"data": {"config": "policy: enabled"}})
        changed.set()
        while configuration.current.policy is AutoInject.DISABLED:
            await asyncio.sleep(0)
    task.cancel()


@pytest.mark.parametrize(
    "namespace",
    ["kube-system/configmaps?x=", "../../../apis/apps/v1/namespaces/shop/deployments?", "a%2Fb", "A", "a" * 64],
)
async def test_what_is_no_namespace_gets_into_no_request(namespace: str) -> None:
    asked = _Asked("policy: disabled")
    await asked.about(pod(), namespace=namespace)
    await asked.about(pod() | {"metadata": {"name": "a", "namespace": namespace}}, namespace="")
    assert asked.injecting.outcomes == {"skipped": 2}
    assert await asked.written() == []
    assert asked.api.requests == []


async def test_there_are_only_so_many_events_whoever_asks_for_them() -> None:
    limits = EventLimits(waiting=1000, burst=3, per_second=0.001, whole_burst=5, whole_per_second=0.001)
    events = Events(MemoryApi(), identity="i", limits=limits)
    for namespace in ("a", "b", "c"):
        for number in range(10):
            events.put({"kind": "Pod", "name": str(number), "namespace": namespace}, "R", "m")
    assert events._waiting.qsize() == 5


async def test_events_are_bounded() -> None:
    events = Events(MemoryApi(), identity="i", limits=EventLimits(waiting=3, remembered=4))
    for number in range(50):
        events.put({"kind": "Namespace", "name": str(number), "namespace": "n"}, "R", "m")
    assert events._waiting.qsize() == 3
    assert len(events._told) <= 4


async def test_events_are_short_however_much_there_is_to_say() -> None:
    events = Events(MemoryApi(), identity="i")
    subject = {"kind": "x" * 10_000, "name": "y" * 10_000, "uid": "z" * 10_000, "namespace": "n"}
    events.put(subject, "R", "m" * 10_000)
    ((key, _),) = events._told.items()
    assert sum(map(len, key)) < 2_000
    assert len(str(events._waiting.get_nowait())) < 2_000


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", {}),
        ("cluster/c1/net/n1", {"ISTIO_META_CLUSTER_ID": "c1", "ISTIO_META_NETWORK": "n1"}),
        ("net/a--slash--b/", {"ISTIO_META_NETWORK": "a/b"}),
        ("my_setting/x/left", {"MY_SETTING": "x"}),
        ("a-b/x/net/n", {"ISTIO_META_NETWORK": "n"}),
    ],
)
def test_settings_in_the_url(path: str, expected: dict[str, str]) -> None:
    assert proxy_environment(path) == expected

"""The asynchronous clients: `kubernetes_asyncio` and `kr8s`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import kr8s.asyncio
import pytest
from kr8s.asyncio.objects import ConfigMap, Deployment, Pod, Service, new_class
from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.client.api_client import ApiClient
from kubernetes_asyncio.stream import WsApiClient

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster
TIMEOUT = 90


def a_pod(name: str, namespace: str, image: str, *command: str) -> dict[str, object]:
    container: dict[str, object] = {"name": "main", "image": image}
    if command:
        container["command"] = list(command)
    else:
        container["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    spec = {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


@pytest.fixture
async def api(cluster: LocalCluster) -> AsyncIterator[ApiClient]:
    configuration = client.Configuration()
    await config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    async with ApiClient(configuration) as found:
        yield found


@pytest.fixture
async def kr8s_api(cluster: LocalCluster) -> kr8s.asyncio.Api:
    return await kr8s.asyncio.api(kubeconfig=str(cluster.kubeconfig))


async def test_kubernetes_asyncio_writes_watches_and_runs_commands(api: ApiClient, namespace: str) -> None:
    core = client.CoreV1Api(api)
    await asyncio.gather(
        *(core.create_namespaced_config_map(namespace, {"metadata": {"name": f"c{n}"}}) for n in range(20))
    )
    with pytest.raises(client.ApiException) as raised:
        await core.create_namespaced_config_map(namespace, {"metadata": {"name": "c1"}})
    assert raised.value.status == 409
    first = await core.list_namespaced_config_map(namespace, limit=15)
    rest = await core.list_namespaced_config_map(namespace, limit=15, _continue=first.metadata._continue)
    names = [item.metadata.name for item in (*first.items, *rest.items)]
    assert sorted(names) == sorted([*(f"c{n}" for n in range(20)), "kube-root-ca.crt"])

    await core.create_namespaced_pod(namespace, a_pod("shell", namespace, "busybox", "sh", "-c", "echo up; sleep 1000"))
    phases = []
    async with asyncio.timeout(TIMEOUT), watch.Watch() as watcher:
        async for event in watcher.stream(core.list_namespaced_pod, namespace):
            phases.append(event["object"].status.phase)
            if phases[-1] == "Running":
                break
    assert phases[0] == "Pending"
    async with asyncio.timeout(TIMEOUT):
        async with WsApiClient(api.configuration) as streams:
            call = client.CoreV1Api(streams).connect_get_namespaced_pod_exec
            answer = await call("shell", namespace, command=["echo", "hi"], stdout=True, stderr=True)
            assert answer == "hi\n"
            websocket = await call(
                "shell", namespace, command=["cat"], stdin=True, stdout=True, stderr=True, _preload_content=False
            )
            async with websocket as connection:
                await connection.send_bytes(b"\x00ping")
                async for message in connection:
                    if message.data[:1] == b"\x01" and len(message.data) > 1:
                        assert message.data == b"\x01ping"
                        break
        assert await core.read_namespaced_pod_log("shell", namespace) == "up\n"
    patched = await core.patch_namespaced_pod("shell", namespace, {"metadata": {"labels": {"a": "b"}}})
    assert patched.metadata.labels["a"] == "b"
    await core.delete_collection_namespaced_config_map(namespace)
    assert {item.metadata.name for item in (await core.list_namespaced_config_map(namespace)).items} <= {
        "kube-root-ca.crt"
    }


async def test_kr8s_waits_scales_and_forwards(kr8s_api: kr8s.asyncio.Api, namespace: str) -> None:
    assert (await kr8s_api.version())["major"] == "1"
    assert {"pods", "deployments"} <= {kind["name"] for kind in await kr8s_api.api_resources()}
    pod = await Pod(a_pod("web", namespace, "lateen.dev/echo"), api=kr8s_api)
    await pod.create()
    await pod.wait("condition=Ready", timeout=TIMEOUT)
    assert await pod.ready()
    done = await pod.exec(["sh", "-c", "echo out; echo err >&2"])
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 0)
    failed = await pod.exec(["sh", "-c", "exit 4"], check=False)
    assert failed.returncode == 4
    async with asyncio.timeout(TIMEOUT):
        async with pod.portforward(8080) as port, aiohttp.ClientSession() as http:
            for _ in range(2):
                async with http.get(f"http://127.0.0.1:{port}/hello") as answer:
                    assert answer.status == 200
    await pod.label(colour="blue")
    await pod.annotate({"a": "b"})
    found = [item.name async for item in kr8s_api.get("pods", namespace=namespace, label_selector="colour=blue")]
    assert found == ["web"]
    assert [line async for line in pod.logs(tail_lines=1)] != []

    labels = {"app": "scaled"}
    container = {"name": "main", "image": "busybox", "command": ["sleep", "1000"]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    deployment = await Deployment(
        {
            "metadata": {"name": "scaled", "namespace": namespace},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        },
        api=kr8s_api,
    )
    await deployment.create()
    await deployment.wait("condition=Available", timeout=TIMEOUT)
    async with asyncio.timeout(TIMEOUT):
        await deployment.scale(2)
        await deployment.wait("jsonpath='{.status.readyReplicas}'=2")
    assert len(await deployment.pods()) == 2
    service = await Service(
        {
            "metadata": {"name": "web", "namespace": namespace},
            "spec": {"selector": labels, "ports": [{"port": 80}]},
        },
        api=kr8s_api,
    )
    await service.create()
    assert await service.exists()
    await deployment.delete(propagation_policy="Foreground")
    await deployment.wait("delete", timeout=TIMEOUT)
    await pod.delete()
    await pod.wait("delete", timeout=TIMEOUT)
    assert not await pod.exists()


async def test_kr8s_watches_and_reports_what_is_missing(kr8s_api: kr8s.asyncio.Api, namespace: str) -> None:
    seen: list[tuple[str, str]] = []
    started = asyncio.Event()

    async def changes() -> None:
        async for kind, item in kr8s_api.watch("configmaps", namespace=namespace, label_selector="watched"):
            seen.append((kind, item.name))
            started.set()
            if kind == "DELETED":
                break

    body = {"metadata": {"name": "seen", "namespace": namespace, "labels": {"watched": ""}}, "data": {"k": "1"}}
    created = await ConfigMap(body, api=kr8s_api)
    await created.create()
    async with asyncio.timeout(TIMEOUT), asyncio.TaskGroup() as tasks:
        tasks.create_task(changes())
        await started.wait()
        await created.patch({"data": {"k": "2"}})
        await created.delete()
    assert seen == [("ADDED", "seen"), ("MODIFIED", "seen"), ("DELETED", "seen")]
    with pytest.raises(kr8s.NotFoundError):
        await ConfigMap.get("seen", namespace=namespace, api=kr8s_api)
    absent = new_class("Nothing", version="absent.example.com/v1", namespaced=True, asyncio=True)
    with pytest.raises((kr8s.NotFoundError, kr8s.ServerError)):
        await absent.get("x", namespace=namespace, api=kr8s_api)

"""The local cluster's nodes: from a pod's creation to Running, and a hundred pods at once."""

from __future__ import annotations

import asyncio
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence

from benchmarks.processes import cpu_seconds, mebibytes, processes_of
from benchmarks.result import Result, against
from lateen.cluster.client.api import Client
from lateen.cluster.objects import GVR, Key, Obj, name_of
from lateen.testing.local_cluster import LocalCluster

PODS = GVR("", "v1", "pods")
SERVICES = GVR("", "v1", "services")
DEPLOYMENTS = GVR("apps", "v1", "deployments")
MANY = 100
TIMEOUT_SECONDS = 180.0
IDLE_SECONDS = 20.0
_SERVER = "example.org/agnhost:2.53"


def pod(name: str) -> Obj:
    container = {"name": "main", "image": "busybox", "command": ["sleep", "1000"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
    }


def many() -> tuple[Obj, Obj]:
    """A Deployment of servers that say who they are, each with a readiness probe, and a Service in front."""
    labels = {"app": "many"}
    container = {
        "name": "main",
        "image": _SERVER,
        "args": ["serve-hostname"],
        "readinessProbe": {"tcpSocket": {"port": 9376}, "periodSeconds": 5},
    }
    template = {
        "metadata": {"labels": labels},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    }
    deployment: Obj = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "many", "namespace": "default"},
        "spec": {"replicas": MANY, "selector": {"matchLabels": labels}, "template": template},
    }
    service: Obj = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "many", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "selector": labels, "ports": [{"port": 80, "targetPort": 9376}]},
    }
    return deployment, service


def measure() -> Sequence[Result]:
    """From the creation of a pod (scheduling, network, volumes, token, start, status) to its being seen Running; the
    floor is a bare process started in fresh network, mount and PID namespaces. Then a Deployment of 100 HTTP servers
    (Python) with readiness probes, on two nodes: until it is complete, until every one of them has answered through
    its Service, what the cluster (API server, controllers, nodes, shims) takes of one core while they idle, memory
    (proportional set size), and until all are gone."""
    with LocalCluster(nodes=2) as cluster:
        return asyncio.run(_measure(cluster))


async def _measure(cluster: LocalCluster) -> list[Result]:
    async with Client.from_kubeconfig(cluster.kubeconfig) as client:
        singles, floor = [], []
        for number in range(20):
            floor.append(_bare_start())
            singles.append(await _start_one(client, f"single-{number}"))
        results = [
            against("pod, creation to Running", singles, "process in fresh namespaces", floor),
            against("the slowest of 20", [max(singles)], "process in fresh namespaces", floor),
        ]
        quiet = await _load(cluster)
        started = time.perf_counter()
        deployment, service = many()
        await client.create(DEPLOYMENTS, deployment)
        await client.create(SERVICES, service)
        await _until(client, DEPLOYMENTS, lambda d: (d.get("status") or {}).get("availableReplicas") == MANY)
        seconds = time.perf_counter() - started
        results.append(against(f"{MANY} pods, creation to Available, each", [seconds / MANY], "the same", floor))
        results.append(Result(f"of {MANY} pods answer through their Service", await _answering(client), "pods"))
        idle = await _load(cluster)
        results.append(Result(f"CPU of the cluster while {MANY} pods idle", idle, "% of a core", "no pods", quiet))
        found = processes_of(cluster.root)
        results.append(Result("memory of the cluster's own processes", mebibytes(found.own), "MiB"))
        results.append(Result("memory of a pod's shim", mebibytes(found.shims) / len(found.shims), "MiB"))
        results.append(Result(f"memory of what runs in the {MANY} pods", mebibytes(found.containers), "MiB"))
        started = time.perf_counter()
        await client.delete(DEPLOYMENTS, Key("default", "many"))
        await _until_gone(client)
        seconds = time.perf_counter() - started
        results.append(Result(f"{MANY} pods, deletion to gone, each", seconds / MANY * 1e3, "ms"))
        return results


def _bare_start() -> float:
    started = time.perf_counter()
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "sh", "-c", "echo up; exec sleep 0"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


async def _start_one(client: Client, name: str) -> float:
    """Seconds until the pod is seen Running; then it is deleted."""
    started = time.perf_counter()
    await client.create(PODS, pod(name))
    await _until(client, PODS, lambda p: name_of(p) == name and (p.get("status") or {}).get("phase") == "Running")
    seconds = time.perf_counter() - started
    await client.delete(PODS, Key("default", name), grace_seconds=0)
    return seconds


async def _until(client: Client, gvr: GVR, holds: Callable[[Obj], bool]) -> None:
    """Watches until one object in the namespace is as wanted."""
    async with asyncio.timeout(TIMEOUT_SECONDS), client.watch(gvr, "default") as watch:
        async for event in watch:
            if event.type in ("ADDED", "MODIFIED") and holds(event.object):
                return


async def _until_gone(client: Client) -> None:
    found = await client.list(PODS, "default")
    left = {name_of(obj) for obj in found.items if name_of(obj).startswith("many-")}
    async with (
        asyncio.timeout(TIMEOUT_SECONDS),
        client.watch(PODS, "default", resource_version=found.resource_version) as watch,
    ):
        async for event in watch:
            if event.type == "DELETED":
                left.discard(name_of(event.object))
            if not left:
                return


async def _answering(client: Client) -> float:
    """How many different pods answer, each request with a connection of its own, until all have (or have not)."""
    address = ""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not address:
            service = await client.get(SERVICES, Key("default", "many"))
            ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
            address = next((str(entry["ip"]) for entry in ingress), "")

    def ask() -> int:
        names = set()
        for _ in range(50 * MANY):
            with urllib.request.urlopen(f"http://{address}/", timeout=10) as answer:
                names.add(answer.read())
            if len(names) == MANY:
                break
        return len(names)

    return await asyncio.to_thread(ask)


async def _load(cluster: LocalCluster) -> float:
    """Percent of one core that the cluster's own processes and its pods' shims take."""
    found = processes_of(cluster.root)
    pids = (*found.own, *found.shims)
    before = cpu_seconds(pids)
    await asyncio.sleep(IDLE_SECONDS)
    return (cpu_seconds(pids) - before) / IDLE_SECONDS * 100

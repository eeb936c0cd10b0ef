"""The local cluster's node: from a pod's creation to Running, and a hundred pods at once."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from benchmarks.result import Result, against
from lateen.cluster.client.api import Client
from lateen.cluster.objects import GVR, Key, Obj, name_of
from lateen.testing.local_cluster import LocalCluster

PODS = GVR("", "v1", "pods")
DEPLOYMENTS = GVR("apps", "v1", "deployments")
MANY = 100


def pod(name: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "busybox", "command": ["sleep", "1000"]}],
        },
    }


def measure() -> Sequence[Result]:
    """From the creation of a pod (scheduling, network, volumes, token, start, status) to its being seen Running; the
    floor is a bare process started in a fresh network, mount and PID namespace."""
    with LocalCluster(nodes=1) as cluster:
        return asyncio.run(_measure(cluster))


async def _measure(cluster: LocalCluster) -> list[Result]:
    async with Client.from_kubeconfig(cluster.kubeconfig) as client:
        singles = [await _start_one(client, f"single-{number}") for number in range(20)]
        floor = [_bare_start() for _ in range(20)]
        results = [against("pod, creation to Running", singles, "process in fresh namespaces", floor)]
        seconds = await _start_many(client)
        results.append(against(f"{MANY} pods, creation to Running, each", [seconds / MANY], "same", floor))
        results.append(Result("memory of a pod's shim", _shim_mebibytes(cluster), "MiB"))
        return results


def _bare_start() -> float:
    started = time.perf_counter()
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "sh", "-c", "echo up; exec sleep 0"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


async def _start_one(client: Client, name: str) -> float:
    start = (await client.list(PODS, "default")).resource_version
    started = time.perf_counter()
    await client.create(PODS, pod(name))
    async with contextlib.aclosing(_running(client, start)) as running:
        async for found in running:
            if found == name:
                break
    seconds = time.perf_counter() - started
    await client.delete(PODS, Key("default", name), grace_seconds=0)
    return seconds


async def _running(client: Client, start: str) -> AsyncIterator[str]:
    async with client.watch(PODS, "default", resource_version=start) as watch:
        async for event in watch:
            if event.type == "MODIFIED" and (event.object.get("status") or {}).get("phase") == "Running":
                yield name_of(event.object)


async def _start_many(client: Client) -> float:
    start = (await client.list(PODS, "default")).resource_version
    labels = {"app": "many"}
    template = {"metadata": {"labels": labels}, "spec": pod("x")["spec"]}
    deployment: Obj = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "many", "namespace": "default"},
        "spec": {"replicas": MANY, "selector": {"matchLabels": labels}, "template": template},
    }
    started = time.perf_counter()
    await client.create(DEPLOYMENTS, deployment)
    seen: set[str] = set()
    async with contextlib.aclosing(_running(client, start)) as running:
        async for found in running:
            if found.startswith("many-"):
                seen.add(found)
            if len(seen) == MANY:
                break
    return time.perf_counter() - started


def _shim_mebibytes(cluster: LocalCluster) -> float:
    """Proportional set size: what a shim costs beyond what all share."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (path / "cmdline").read_bytes()
            if b"shim" in line and str(cluster.root).encode() in line:
                rollup = (path / "smaps_rollup").read_text().splitlines()
                found.append(next(int(entry.split()[1]) for entry in rollup if entry.startswith("Pss:")) / 1024)
    return sum(found) / len(found) if found else 0.0

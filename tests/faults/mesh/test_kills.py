"""Processes killed under load: nobody who asks notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from lateen.testing.load import Load
from lateen.testing.local_mesh import LocalMesh
from lateen.testing.pod_processes import Process, processes

NAMESPACE = "bookinfo"
_PROXIES = 15
"""Two of each of Bookinfo's six Deployments and of the ingress gateway, and the egress gateway."""
_SECONDS = 120


def istiod(pod: str) -> Process | None:
    return next(iter(processes(pod, "lateen.cli.pilot_discovery")), None)


def envoy(pod: str) -> Process | None:
    return next(iter(processes(pod, "envoy/_bin/envoy")), None)


def agent(pod: str) -> Process | None:
    """The child of its keeper. Both have one command, and so have the agent's own children for a moment."""
    found = processes(pod, "lateen.agent.keeper")
    return next((each for each in found if each.parent == found[0].pid), None)


Find = Callable[[str], Process | None]


def found(pod: str, find: Find) -> Process:
    process = find(pod)
    assert process is not None, f"{pod}: {[each.command for each in processes(pod)]}"
    return process


async def replaced(pod: str, find: Find, old: Process) -> Process:
    async with asyncio.timeout(_SECONDS):
        while (new := find(pod)) is None or new.started <= old.started:
            await asyncio.sleep(0.05)
        return new


def connected(mesh: LocalMesh) -> int:
    """How many proxies istiod serves."""
    return len(mesh.debug("syncz"))


async def test_istiod_killed_and_restarted(mesh: LocalMesh, load: Load) -> None:
    def all_connected() -> bool:
        return connected(mesh) >= _PROXIES

    await asyncio.to_thread(mesh.until, all_connected, "all proxies are at istiod")
    pod = mesh.pod("istio-system", "app=istiod")
    old = found(pod, istiod)
    old.kill()
    await load.more(100)
    await replaced(pod, istiod, old)
    await asyncio.to_thread(mesh.until, all_connected, "all proxies are back at the new istiod")
    await load.more(100)


@pytest.mark.parametrize("app", ["productpage", "reviews", "ratings", "details"])
async def test_envoy_of_a_sidecar_killed(mesh: LocalMesh, load: Load, app: str) -> None:
    pod = mesh.pod(NAMESPACE, f"app={app}")
    old = found(pod, envoy)
    old.kill()
    await load.more(100)
    await replaced(pod, envoy, old)
    await asyncio.to_thread(mesh.until_available, NAMESPACE)
    await load.more(100)


@pytest.mark.parametrize("app", ["productpage", "reviews"])
async def test_agent_killed(mesh: LocalMesh, load: Load, app: str) -> None:
    pod = mesh.pod(NAMESPACE, f"app={app}")
    old, before = found(pod, agent), found(pod, envoy)
    old.kill()
    await replaced(pod, agent, old)
    await load.more(100)
    after = found(pod, envoy)
    assert (after.pid, after.started) == (before.pid, before.started), "Envoy outlives its agent"
    await asyncio.to_thread(mesh.until_available, NAMESPACE)


async def test_api_server_restarted(mesh: LocalMesh, load: Load) -> None:
    old = await asyncio.to_thread(mesh.kill, "apiserver")
    await load.more(100)
    await asyncio.to_thread(mesh.until_replaced, "apiserver", old, _SECONDS)
    await asyncio.to_thread(mesh.until_succeeds, "get", "pods", "-n", NAMESPACE, timeout=_SECONDS)
    await load.more(100)


async def test_new_pods_without_istiod_are_refused_and_old_ones_serve(mesh: LocalMesh, load: Load) -> None:
    """The webhook's failure policy is Fail: a pod without its sidecar would be outside of the mesh."""
    mesh.kubectl("scale", "-n", "istio-system", "deployment/istiod", "--replicas=0")
    try:
        await asyncio.to_thread(mesh.until_gone, "pods", "-n", "istio-system", "-l", "app=istiod", timeout=_SECONDS)
        done = mesh.try_kubectl("run", "late", "-n", NAMESPACE, "--image=busybox", "--", "sleep", "1000")
        assert done.returncode != 0
        assert "failed calling webhook" in done.stderr
        await load.more(100)
    finally:
        mesh.kubectl("scale", "-n", "istio-system", "deployment/istiod", "--replicas=1")
        await asyncio.to_thread(mesh.until_available, "istio-system")
    # What leads to a Service's pods follows them in a moment.
    late = ("run", "late", "-n", NAMESPACE, "--image=busybox", "--", "sleep", "1000")
    await asyncio.to_thread(mesh.until_succeeds, *late, timeout=_SECONDS)
    containers = mesh.get("pod", "late", "-n", NAMESPACE)["spec"]
    names = [each["name"] for each in (*containers["containers"], *containers.get("initContainers", ()))]
    mesh.kubectl("delete", "pod", "late", "-n", NAMESPACE, "--wait=false")
    assert "istio-proxy" in names

"""Processes killed under load: nobody who asks notices."""

from __future__ import annotations

import asyncio

import pytest

from lateen.testing.load import Load
from lateen.testing.local_mesh import LocalMesh
from lateen.testing.pod_processes import Process, processes

NAMESPACE = "bookinfo"
_ISTIOD, _AGENT, _ENVOY = "lateen.cli.pilot_discovery", "lateen.agent.keeper", "envoy/_bin/envoy"


def the_process(pod: str, words: str) -> Process:
    """The newest that was started with these words: an agent's keeper is older than the agent."""
    found = processes(pod, words)
    assert found, f"{pod} has no process with {words!r}: {[each.command for each in processes(pod)]}"
    return found[-1]


async def replaced(pod: str, words: str, old: Process, timeout: float = 60) -> Process:
    async with asyncio.timeout(timeout):
        while not (found := [each for each in processes(pod, words) if each.pid > old.pid]):
            await asyncio.sleep(0.05)
        return found[-1]


def connected(mesh: LocalMesh) -> int:
    """How many proxies istiod serves."""
    return len(mesh.debug("syncz"))


async def test_istiod_killed_and_restarted(mesh: LocalMesh, load: Load) -> None:
    before = await asyncio.to_thread(connected, mesh)
    assert before >= 14
    pod = mesh.pod("istio-system", "app=istiod")
    old = processes(pod, _ISTIOD)[0]
    old.kill()
    await load.more(100)
    await replaced(pod, _ISTIOD, old)
    await asyncio.to_thread(
        mesh.until, lambda: connected(mesh) >= before, "all proxies are back at the new istiod", timeout=90
    )
    await load.more(100)


@pytest.mark.parametrize("app", ["productpage", "reviews", "ratings", "details"])
async def test_envoy_of_a_sidecar_killed(mesh: LocalMesh, load: Load, app: str) -> None:
    pod = mesh.pod(NAMESPACE, f"app={app}")
    old = the_process(pod, _ENVOY)
    old.kill()
    await load.more(100)
    await replaced(pod, _ENVOY, old)
    await asyncio.to_thread(mesh.until_available, NAMESPACE)
    await load.more(100)


@pytest.mark.parametrize("app", ["productpage", "reviews"])
async def test_agent_killed(mesh: LocalMesh, load: Load, app: str) -> None:
    pod = mesh.pod(NAMESPACE, f"app={app}")
    old, envoy = the_process(pod, _AGENT), the_process(pod, _ENVOY)
    old.kill()
    new = await replaced(pod, _AGENT, old)
    await load.more(100)
    assert new.pid != old.pid
    assert the_process(pod, _ENVOY).pid == envoy.pid, "Envoy outlives its agent"
    await asyncio.to_thread(mesh.until_available, NAMESPACE)


async def test_api_server_restarted(mesh: LocalMesh, load: Load) -> None:
    old = await asyncio.to_thread(mesh.kill, "apiserver")
    await load.more(100)
    await asyncio.to_thread(mesh.until_replaced, "apiserver", old)
    await asyncio.to_thread(mesh.until_succeeds, "get", "pods", "-n", NAMESPACE)
    await load.more(100)


async def test_new_pods_without_istiod_are_refused_and_old_ones_serve(mesh: LocalMesh, load: Load) -> None:
    """The webhook's failure policy is Fail: a pod without its sidecar would be outside of the mesh."""
    mesh.kubectl("scale", "-n", "istio-system", "deployment/istiod", "--replicas=0")
    try:
        await asyncio.to_thread(mesh.until_gone, "pods", "-n", "istio-system", "-l", "app=istiod")
        done = mesh.try_kubectl("run", "late", "-n", NAMESPACE, "--image=busybox", "--", "sleep", "1000")
        assert done.returncode != 0
        assert "failed calling webhook" in done.stderr
        await load.more(100)
    finally:
        mesh.kubectl("scale", "-n", "istio-system", "deployment/istiod", "--replicas=1")
        await asyncio.to_thread(mesh.until_available, "istio-system")
    mesh.kubectl("run", "late", "-n", NAMESPACE, "--image=busybox", "--", "sleep", "1000")
    containers = mesh.get("pod", "late", "-n", NAMESPACE)["spec"]
    names = [each["name"] for each in (*containers["containers"], *containers.get("initContainers", ()))]
    mesh.kubectl("delete", "pod", "late", "-n", NAMESPACE, "--wait=false")
    assert "istio-proxy" in names

"""Workloads that come and go under load."""

from __future__ import annotations

import asyncio

from lateen.testing.load import Load
from lateen.testing.local_mesh import LocalMesh

NAMESPACE = "bookinfo"


async def rolled_out(mesh: LocalMesh, deployment: str) -> None:
    await asyncio.to_thread(
        mesh.kubectl, "rollout", "status", f"deployment/{deployment}", "-n", NAMESPACE, "--timeout=240s", timeout=250
    )


async def test_reviews_rolled_out(mesh: LocalMesh, load: Load) -> None:
    for version in ("v1", "v2", "v3"):
        mesh.kubectl("rollout", "restart", f"deployment/reviews-{version}", "-n", NAMESPACE)
    for version in ("v1", "v2", "v3"):
        await rolled_out(mesh, f"reviews-{version}")
    await load.more(100)


async def test_reviews_scaled_up_and_down(mesh: LocalMesh, load: Load) -> None:
    for replicas in (1, 5, 1, 2):
        mesh.kubectl("scale", "deployment/reviews-v3", "-n", NAMESPACE, f"--replicas={replicas}")
        await rolled_out(mesh, "reviews-v3")
        await load.more(100)


async def test_pod_deleted_and_made_again(mesh: LocalMesh, load: Load) -> None:
    for app in ("productpage", "details"):
        pod = mesh.pod(NAMESPACE, f"app={app}")
        mesh.kubectl("delete", "pod", pod, "-n", NAMESPACE, "--wait=false")
        await load.more(50)
        await asyncio.to_thread(mesh.until_gone, "pod", pod, "-n", NAMESPACE, timeout=120)
        await rolled_out(mesh, f"{app}-v1")
        await load.more(50)


async def test_gateway_rolled_out(mesh: LocalMesh, load: Load) -> None:
    mesh.kubectl("rollout", "restart", "deployment/istio-ingressgateway", "-n", "istio-system")
    await asyncio.to_thread(mesh.until_available, "istio-system")
    await load.more(100)

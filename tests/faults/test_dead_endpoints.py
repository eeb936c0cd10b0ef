"""Endpoints that are gone, and still said to be ready: requests go to others."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lateen.testing.live_mesh import ADDRESS, live_mesh, service
from lateen.testing.load import Load

_NOBODY = "127.0.0.79"


async def test_one_of_two_is_dead(tmp_path: Path) -> None:
    """Who answers nothing has the fewest requests to answer, and is liked best for it: each retry has to avoid it."""
    async with live_mesh(tmp_path) as mesh:
        *rest, endpoints = service("web", mesh.port, mesh.backend)
        more = [*endpoints["endpoints"], {"addresses": [_NOBODY], "conditions": {"ready": True}}]
        mesh.manifests.write(
            "services", *rest, {**endpoints, "endpoints": more}, *service("other", mesh.port, mesh.backend)
        )
        dead = f"{_NOBODY}:{mesh.backend}"

        def refused() -> int:
            counts = mesh.envoy.stats("cluster.outbound.*web.*upstream_cx_connect_fail$")
            return sum(counts.values())

        async with Load(f"http://{ADDRESS}:{mesh.port}/", "web", callers=8) as many:
            await asyncio.to_thread(mesh.envoy.until, lambda: refused() > 0, f"{dead} is tried")
            await many.more(1000)
        assert refused() > 100

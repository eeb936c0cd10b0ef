"""A mesh of objects in memory, served by ADS in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from lateen.testing.mesh import Mesh
from lateen.translate import catalog
from lateen.xds.catalog import Catalog
from lateen.xds.inventory import Inventory
from lateen.xds.push import PushLoop
from lateen.xds.rejection import Rejection
from lateen.xds.server import Listener, XdsServer


class Served(NamedTuple):
    """`port` is of ADS, at 127.0.0.1."""

    server: XdsServer
    port: int


@contextlib.asynccontextmanager
async def served(mesh: Mesh, rejected: Callable[[Rejection], None] = lambda _: None) -> AsyncIterator[Served]:
    """`rejected` is called with all that somebody rejects."""
    push = PushLoop(Inventory(mesh.engine, Catalog(catalog.views, catalog.listing)))
    server = XdsServer(push, rejected=rejected)
    (port,) = await server.start(Listener("127.0.0.1:0"))
    task = asyncio.create_task(push.run())
    try:
        yield Served(server, port)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()

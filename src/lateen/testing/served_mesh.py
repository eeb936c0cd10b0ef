"""A mesh of objects in memory, served to real Envoys by ADS in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

from lateen.testing.mesh import Mesh
from lateen.translate import catalog
from lateen.xds.catalog import Catalog
from lateen.xds.inventory import Inventory
from lateen.xds.push import PushLoop
from lateen.xds.server import Listener, XdsServer


class Served(NamedTuple):
    """`port` is of ADS, at 127.0.0.1."""

    server: XdsServer
    port: int


@contextlib.asynccontextmanager
async def served(mesh: Mesh) -> AsyncIterator[Served]:
    push = PushLoop(Inventory(mesh.engine, Catalog(catalog.views, catalog.listing)))
    server = XdsServer(push)
    (port,) = await server.start(Listener("127.0.0.1:0"))
    task = asyncio.create_task(push.run())
    try:
        yield Served(server, port)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.stop()

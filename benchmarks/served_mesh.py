"""A mesh of `benchmarks.mesh` in a control plane of this process, and proxies connected from another."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import msgspec

from benchmarks.mesh import Size, objects
from lateen.api.parse import parse
from lateen.engine import Engine
from lateen.istiod.garbage import THRESHOLDS, set_aside
from lateen.model.proxy import Proxy, Role
from lateen.model.tables import TABLES
from lateen.translate import catalog
from lateen.translate.resource import ResourceType
from lateen.xds.catalog import Catalog
from lateen.xds.inventory import Inventory
from lateen.xds.limits import Limits
from lateen.xds.push import PushLoop
from lateen.xds.server import Listener, XdsServer


def encoded(size: Size) -> list[bytes]:
    """The mesh's objects as the API server would send them."""
    return [msgspec.json.encode(item) for item in objects(size)]


def load(engine: Engine, raws: Iterable[bytes | Mapping[str, Any]]) -> None:
    """Parses objects and writes them, as one change."""
    with engine.change() as tx:
        for raw in raws:
            parsed = parse(raw)
            if parsed.value is None:
                raise ValueError(f"{parsed.key}: {parsed.faults}")
            if parsed.kind in TABLES:
                tx.set(TABLES[parsed.kind], parsed.key, parsed.value)


def sidecar(size: Size, number: int) -> Proxy:
    """The sidecar of a pod of the mesh."""
    name = f"svc-{number % size.services:04}"
    namespace = f"ns-{number % size.services % size.namespaces:02}"
    return Proxy(
        id=f"{name}-000.{namespace}",
        role=Role.SIDECAR,
        namespace=namespace,
        labels=(("app", name), ("version", "v1")),
        service_account=name,
        addresses=("10.64.0.1",),
        cluster_id="Kubernetes",
        dns_domain=f"{namespace}.svc.cluster.local",
    )


def node(size: Size, number: int) -> dict[str, Any]:
    """The same as it presents itself; each with an id of its own."""
    proxy = sidecar(size, number)
    workload = f"{proxy.name}-{number}.{proxy.namespace}"
    return {
        "id": f"sidecar~10.64.0.1~{workload}~{proxy.dns_domain}",
        "metadata": {
            "NAMESPACE": proxy.namespace,
            "LABELS": dict(proxy.labels),
            "SERVICE_ACCOUNT": proxy.service_account,
            "CLUSTER_ID": proxy.cluster_id,
        },
    }


def names(engine: Engine, proxy: Proxy) -> dict[str, list[str]]:
    """What proxies like this one ask for by name, by type."""
    found: dict[str, list[str]] = {}
    for type_ in (ResourceType.EDS, ResourceType.RDS):
        listings = (engine.get(catalog.listing, type_, view) for view in engine.get(catalog.views, proxy))
        found[type_.name] = sorted(recipe.name for listing in listings for recipe in listing)
    return found


class Clients:
    """The process with the proxies."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def connect(self, nodes: list[dict[str, Any]], names: Mapping[str, list[str]]) -> None:
        """Returns when every one holds everything."""
        await self._ask({"connect": nodes, "names": names})

    async def settle(self) -> dict[str, int]:
        """What has arrived since the last time, once nothing more comes for a while, and how many clients were told."""
        total: Counter[str] = Counter()
        told: set[int] = set()
        quiet = 0
        while quiet < 5:
            taken = await self._ask({"take": True})
            told.update(taken.pop("told"))
            total.update(taken)
            quiet = 0 if taken["responses"] else quiet + 1
            await asyncio.sleep(0.1)
        return {**total, "clients": len(told)}

    async def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the clients have ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.asynccontextmanager
async def clients(port: int) -> AsyncIterator[Clients]:
    """Clients of a server of this machine."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.ads_clients", f"127.0.0.1:{port}",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 26,
    )  # fmt: skip
    try:
        yield Clients(process)
    finally:
        process.kill()
        await process.wait()


class Served:
    """A control plane with the mesh in it."""

    def __init__(self, size: Size, extra: Iterable[Mapping[str, Any]] = ()) -> None:
        self.size = size
        self.engine = Engine()
        load(self.engine, [*encoded(size), *extra])
        self.inventory = Inventory(self.engine, Catalog(catalog.views, catalog.listing))
        self.push = PushLoop(self.inventory)
        self.server = XdsServer(self.push, limits=Limits(requests_per_second=1e6, request_burst=1_000_000))

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Serves; gives the port."""
        collect_seldom()
        (port,) = await self.server.start(Listener("127.0.0.1:0"))
        pushing = asyncio.create_task(self.push.run())
        try:
            yield port
        finally:
            pushing.cancel()
            await asyncio.gather(pushing, return_exceptions=True)
            await self.server.stop()

    def change(self, raw: Mapping[str, Any]) -> None:
        """Replaces one object, without telling the push loop."""
        load(self.engine, [raw])


def collect_seldom() -> None:
    """As istiod does."""
    gc.set_threshold(*THRESHOLDS)
    set_aside()

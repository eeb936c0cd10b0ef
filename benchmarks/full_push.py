"""Everything changes, for 1,000 sidecars that share a scope."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2

from benchmarks.ads_clients import METHOD
from benchmarks.mesh import Size
from benchmarks.result import Result, against
from benchmarks.served_mesh import Served, clients, collect_seldom, names, node, sidecar
from lateen.api.mesh.mesh_config import MeshConfig
from lateen.api.schema.duration import Duration
from lateen.model.inputs import MESH_CONFIG
from lateen.translate.resource import ResourceType

SIDECARS = 1000
ROUNDS = 5
SIZE = Size(100, namespaces=1)


def measure() -> Sequence[Result]:
    """CPU time of the server from a change of MeshConfig that changes every cluster of 100 services (so that Envoy must
    also be sent every load assignment again) until 1,000 sidecars have acknowledged all of it. The floor is the same
    number of responses with as many bytes, sent from memory to as many clients by the same gRPC library, which
    acknowledge them just so."""
    return asyncio.run(_measure())


async def _measure() -> list[Result]:
    pushes: list[float] = []
    served = Served(SIZE)
    async with served.listening() as port, clients(port) as connected:
        asked = names(served.engine, sidecar(SIZE, 0))
        await connected.connect([node(SIZE, number) for number in range(SIDECARS)], asked)
        await connected.settle()
        told: dict[str, int] = {}
        for number in range(ROUNDS):
            started = time.process_time()
            with served.engine.change() as tx:
                tx.put(MESH_CONFIG, MeshConfig(connect_timeout=Duration((11 + number) * 10**9)))
            served.push.changed()
            told = await connected.settle()
            pushes.append(time.process_time() - started)
    floor = await _floor(told["responses"] // SIDECARS, told["bytes"] // SIDECARS)
    return [against(f"full push, {told['bytes'] / SIDECARS / 1e6:.2f} MB each", pushes, "from memory", floor)]


async def _floor(responses: int, size: int) -> list[float]:
    """CPU seconds to send so many responses, with so many bytes altogether, to every client."""
    body = discovery_pb2.DeltaDiscoveryResponse(type_url=ResourceType.CDS.value, nonce="n")
    body.resources.add(name="x").resource.value = bytes(size // responses - 120)
    data = body.SerializeToString()
    begin = asyncio.Condition()

    async def serve(_: Any, call: Any) -> None:
        for _ in range(8):
            # Four first requests and four acknowledgements, as a client sends while it connects.
            request = discovery_pb2.DeltaDiscoveryRequest.FromString(await call.read())
            if not request.response_nonce:
                small = discovery_pb2.DeltaDiscoveryResponse(type_url=request.type_url, nonce="n")
                await call.write(small.SerializeToString())
        while True:
            async with begin:
                await begin.wait()
            for _ in range(responses):
                await call.write(data)
            for _ in range(responses):
                await call.read()

    class Handlers(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            return grpc.stream_stream_rpc_method_handler(serve) if details.method == METHOD else None

    samples = []
    server = grpc.aio.server(handlers=[Handlers()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    collect_seldom()
    async with clients(port) as connected:
        await connected.connect([node(SIZE, number) for number in range(SIDECARS)], {"EDS": ["x"], "RDS": ["x"]})
        await connected.settle()
        for _ in range(ROUNDS):
            started = time.process_time()
            async with begin:
                begin.notify_all()
            await connected.settle()
            samples.append(time.process_time() - started)
    await server.stop(None)
    return samples

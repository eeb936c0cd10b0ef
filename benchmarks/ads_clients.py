"""Many delta-ADS clients in one process of their own, so cheap that the server is what is measured.

`python -m benchmarks.ads_clients TARGET` reads commands as JSON lines and answers each with a JSON line:

- `{"connect": [{"namespace": ..., "labels": {...}, "id": ...}, ...]}` connects proxies; answers when each holds its
  CDS, EDS, LDS and RDS.
- `{"take": true}` answers what arrived since the last take and forgets it.

A client does what an Envoy does: wildcard CDS and LDS, EDS and RDS by the names those imply, an ACK for each response.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2

from lateen.translate.resource import ResourceType

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def skim(data: bytes) -> tuple[str, str, int, int]:
    """Type URL, nonce, and the numbers of resources and removals of a DeltaDiscoveryResponse, its resources unread."""
    url = nonce = ""
    resources = removals = at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        size, at = _varint(data, at)
        match tag >> 3:
            case 2:
                resources += 1
            case 4:
                url = data[at : at + size].decode()
            case 5:
                nonce = data[at : at + size].decode()
            case 6:
                removals += 1
        at += size
    return url, nonce, resources, removals


@dataclass(slots=True)
class Arrived:
    """What one client got since the last take."""

    responses: int = 0
    resources: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Client:
    node: dict[str, Any]
    arrived: Arrived = field(default_factory=Arrived)
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, channel: grpc.aio.Channel, names: dict[str, frozenset[str]]) -> None:
        stream = channel.stream_stream(METHOD, request_serializer=None, response_deserializer=None)()
        waiting = {ResourceType.CDS, ResourceType.EDS, ResourceType.LDS, ResourceType.RDS}
        first = discovery_pb2.DeltaDiscoveryRequest(type_url=ResourceType.CDS.value)
        first.node.id = self.node["id"]
        first.node.metadata.update(self.node["metadata"])
        await stream.write(first.SerializeToString())
        await stream.write(_request(ResourceType.LDS))
        asked: set[ResourceType] = set()
        while (data := await stream.read()) is not grpc.aio.EOF:
            url, nonce, resources, _ = skim(data)
            type_ = ResourceType(url)
            self.arrived.responses += 1
            self.arrived.resources += resources
            self.arrived.bytes += len(data)
            await stream.write(
                discovery_pb2.DeltaDiscoveryRequest(type_url=url, response_nonce=nonce).SerializeToString()
            )
            waiting.discard(type_)
            implied = {ResourceType.CDS: ResourceType.EDS, ResourceType.LDS: ResourceType.RDS}.get(type_)
            if implied is not None and implied not in asked:
                asked.add(implied)
                await stream.write(_request(implied, names[implied.name]))
            if not waiting:
                self.ready.set()


def _request(type_: ResourceType, names: frozenset[str] = frozenset()) -> bytes:
    request = discovery_pb2.DeltaDiscoveryRequest(type_url=type_.value)
    request.resource_names_subscribe.extend(sorted(names))
    data: bytes = request.SerializeToString()
    return data


async def serve(target: str) -> None:
    reader = asyncio.StreamReader(limit=1 << 26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    clients: list[Client] = []
    async with asyncio.TaskGroup() as group:
        tasks = []
        while line := await reader.readline():
            command = json.loads(line)
            if "connect" in command:
                names = {type_: frozenset(listed) for type_, listed in command["names"].items()}
                fresh = [Client(node) for node in command["connect"]]
                for client in fresh:
                    # Channels with different arguments do not share their connection.
                    options = [("grpc.max_receive_message_length", 1 << 26), ("lateen.client", len(tasks))]
                    channel = grpc.aio.insecure_channel(target, options=options)
                    tasks.append(group.create_task(client.run(channel, names)))
                await asyncio.gather(*(client.ready.wait() for client in fresh))
                clients.extend(fresh)
                answer: dict[str, Any] = {"connected": len(clients)}
            else:
                taken = [client.arrived for client in clients]
                for client in clients:
                    client.arrived = Arrived()
                told = [arrived for arrived in taken if arrived.responses]
                answer = {
                    "told": [number for number, arrived in enumerate(taken) if arrived.responses],
                    "responses": sum(a.responses for a in told),
                    "resources": sum(a.resources for a in told),
                    "bytes": sum(a.bytes for a in told),
                }
            print(json.dumps(answer), flush=True)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))

"""What a proxy rejects is laid at the door of the resource it was made from, until it is accepted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2

from lateen.testing.istiod import IstiodProcess

CLUSTERS = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
NAME = "outbound|9080||reviews.default.svc.cluster.local"
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, trafficPolicy: {connectionPool: {tcp: {maxConnections: %d}}}}
"""


class Proxy:
    """A sidecar that reads its clusters."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def begin(self) -> None:
        request = discovery_pb2.DeltaDiscoveryRequest(type_url=CLUSTERS)
        request.node.id = "sidecar~10.0.0.1~web.default~default.svc.cluster.local"
        request.node.metadata["NAMESPACE"] = "default"
        await self._call.write(request.SerializeToString())

    async def read_until(self, name: str) -> Any:
        """The next response with a resource of this name; those before it are accepted."""
        while True:
            data = await self._call.read()
            assert data is not grpc.aio.EOF
            response = discovery_pb2.DeltaDiscoveryResponse.FromString(data)
            if any(resource.name == name for resource in response.resources):
                return response
            await self.answer(response)

    async def answer(self, response: Any, error: str = "") -> None:
        request = discovery_pb2.DeltaDiscoveryRequest(type_url=CLUSTERS, response_nonce=response.nonce)
        if error:
            request.error_detail.code = 13
            request.error_detail.message = error
        await self._call.write(request.SerializeToString())


def messages(istiod: IstiodProcess) -> dict[str, list[str]]:
    return {f"{each['kind']}/{each['name']}": [f["message"] for f in each["faults"]] for each in istiod.debug("status")}


async def test_a_rejection_is_its_resources_error_until_it_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"{SERVICE}---{RULE % 10}")
    with IstiodProcess("--config-dir", str(tmp_path)) as istiod:
        address = istiod.until_ready()["xds"]
        async with asyncio.timeout(60), grpc.aio.insecure_channel(address) as channel:
            call = channel.stream_stream(METHOD)()
            proxy = Proxy(call)
            await proxy.begin()
            first = await proxy.read_until(NAME)
            message = f"Error adding/updating cluster(s) {NAME}: no such thing"
            await proxy.answer(first, message)
            told = f"web.default rejects CDS {NAME}: {message}"
            await asyncio.to_thread(istiod.until, lambda: told in messages(istiod).get("DestinationRule/reviews", ()))
            # It changes, is sent anew, and accepted.
            file.write_text(f"{SERVICE}---{RULE % 20}")
            second = await proxy.read_until(NAME)
            await proxy.answer(second)
            await asyncio.to_thread(
                istiod.until, lambda: told not in messages(istiod).get("DestinationRule/reviews", ())
            )
            call.cancel()

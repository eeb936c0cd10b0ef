"""A delta-ADS stream without manners: sends whatever bytes it is given, and acknowledges nothing by itself."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2

from lateen.testing.ads_client import METHOD
from lateen.translate.resource import ResourceType

_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1))


def delta_request(
    type_: ResourceType | str = ResourceType.CDS,
    *,
    node: str = "",
    subscribe: Iterable[str] = (),
    unsubscribe: Iterable[str] = (),
    versions: Mapping[str, str] | None = None,
    nonce: str = "",
    error: str = "",
) -> bytes:
    """A DeltaDiscoveryRequest. `node` is the id of one."""
    request = discovery_pb2.DeltaDiscoveryRequest(
        type_url=type_ if isinstance(type_, str) else type_.value,
        resource_names_subscribe=subscribe,
        resource_names_unsubscribe=unsubscribe,
        initial_resource_versions=versions or {},
        response_nonce=nonce,
    )
    if node:
        request.node.id = node
    if error:
        request.error_detail.code = grpc.StatusCode.INVALID_ARGUMENT.value[0]
        request.error_detail.message = error
    found: bytes = request.SerializeToString()
    return found


class RawStream:
    """One stream. Its own connection, too, so that it can be as rude as it likes."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def send(self, *requests: bytes) -> bool:
        """Whether the stream still took them all."""
        for request in requests:
            try:
                await self._call.write(request)
            except (grpc.aio.AioRpcError, grpc.aio.UsageError, grpc.aio.InternalError, ValueError):
                return False
            except Exception as error:
                # "RPC already finished", by a type that gRPC does not make public.
                if "finished" not in str(error):
                    raise
                return False
        return True

    async def read(self) -> Any:
        """The next response; None when there are no more. Raises AioRpcError when the stream has been ended."""
        data = await self._call.read()
        return None if data is grpc.aio.EOF else discovery_pb2.DeltaDiscoveryResponse.FromString(data)

    async def end(self) -> grpc.StatusCode:
        """Reads all there is: the status with which the stream has been ended comes after that."""
        with contextlib.suppress(grpc.aio.AioRpcError):
            while await self.read() is not None:
                pass
        return await self.status()

    async def status(self) -> grpc.StatusCode:
        """Waits for the end."""
        code: grpc.StatusCode = await self._call.code()
        return code


@contextlib.asynccontextmanager
async def raw_stream(
    address: str, *requests: bytes, method: str = METHOD, credentials: grpc.ChannelCredentials | None = None
) -> AsyncIterator[RawStream]:
    """Begins with some requests."""
    channel = (
        grpc.aio.insecure_channel(address, _OPTIONS)
        if credentials is None
        else grpc.aio.secure_channel(address, credentials, _OPTIONS)
    )
    async with channel:
        call = channel.stream_stream(method)()
        stream = RawStream(call)
        await stream.send(*requests)
        try:
            yield stream
        finally:
            call.cancel()

"""The client: says something a number of times and tells who answered. To `xds:///echo:7070` it is its own proxy."""

from __future__ import annotations

import grpc
import grpc.experimental
from google.protobuf.wrappers_pb2 import StringValue

from lateen.samples.grpc_echo import ECHO


async def call(target: str, message: str, count: int, *, fail_with: int = 0, seconds: float = 10.0) -> list[str]:
    """What was answered, in order; a call that failed answers its status: `UNAVAILABLE: why`. `fail_with` is the status
    code that the server is asked for, 0 for none."""
    answers = []
    metadata = (("fail-with", str(fail_with)),) if fail_with else ()
    async with _channel(target) as channel:
        echo = channel.unary_unary(
            ECHO, request_serializer=StringValue.SerializeToString, response_deserializer=StringValue.FromString
        )
        for _ in range(count):
            try:
                answer = await echo(StringValue(value=message), timeout=seconds, metadata=metadata)
                answers.append(str(answer.value))
            except grpc.aio.AioRpcError as error:
                answers.append(f"{error.code().name}: {error.details()}")
    return answers


def _channel(target: str) -> grpc.aio.Channel:
    if not target.startswith("xds:"):
        return grpc.aio.insecure_channel(target)
    # Plaintext where the mesh says nothing else.
    insecure = grpc.experimental.insecure_channel_credentials()
    return grpc.aio.secure_channel(target, grpc.xds_channel_credentials(insecure))

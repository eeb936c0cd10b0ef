"""The same server as its own proxy: the mesh tells gRPC itself which certificates to use and whom to let in.

gRPC for asyncio has no such servers, so this one has threads. There is no health service: a kubelet has no certificate
to ask it with. A probe by TCP will do, since the port listens only once the mesh has told it how.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from lateen.samples.grpc_echo.server import IN_FLIGHT_SECONDS, MAX_MESSAGE, Echo, caller, wanted_failure
from lateen.samples.serving import say

_THREADS = 16


class ProxylessServer:
    """`await start()`, then `await drain(enough)` once. Needs GRPC_XDS_BOOTSTRAP."""

    def __init__(self, echo: Echo, address: str) -> None:
        self._echo = echo
        self._address = address
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS),
            options=[("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.so_reuseport", 0)],
            xds=True,
        )
        codec = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
        handlers = {
            "Echo": grpc.unary_unary_rpc_method_handler(self._answer, **codec),
            "EchoEach": grpc.stream_stream_rpc_method_handler(self._answer_each, **codec),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("lateen.samples.Echo", handlers),))

    async def start(self) -> str:
        """Returns its address. It listens as soon as the mesh has told it how. Raises OSError when that cannot be."""
        credentials = grpc.xds_server_credentials(grpc.insecure_server_credentials())
        try:
            self._server.add_secure_port(self._address, credentials)
        except RuntimeError as error:
            raise OSError(f"{self._address}: {error}") from error
        self._server.start()
        return self._address

    async def drain(self, enough: Awaitable[object]) -> None:
        """Serves until `enough`, then ends what is in flight."""
        await enough
        await asyncio.to_thread(self._server.stop(IN_FLIGHT_SECONDS).wait)

    def _answer(self, request: StringValue, context: grpc.ServicerContext) -> StringValue:
        metadata = context.invocation_metadata()
        # Otherwise a call that fails ends the process: grpcio 1.85, with servers by xDS.
        context.send_initial_metadata(())
        code = wanted_failure(metadata)
        if isinstance(code, str):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, code)
        elif code is not grpc.StatusCode.OK:
            context.abort(code, "as asked")
        say(f"Echo {request.value!r}{caller(metadata, context.auth_context())}")
        return self._echo.answer(request)

    def _answer_each(self, requests: Iterator[StringValue], _context: grpc.ServicerContext) -> Iterator[StringValue]:
        for request in requests:
            say(f"EchoEach {request.value!r}")
            yield self._echo.answer(request)

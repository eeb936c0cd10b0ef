"""The server: Echo and EchoEach, and the standard health service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from lateen.samples.serving import say

_SERVING, _NOT_SERVING = 1, 2
_SERVICES = frozenset({"", "lateen.samples.Echo"})
MAX_MESSAGE = 4 << 20
IN_FLIGHT_SECONDS = 20.0
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def wanted_failure(metadata: Iterable[Any]) -> grpc.StatusCode | str:
    """With which code a call is to fail (OK: not at all), or what is wrong with the wish."""
    wanted = dict(metadata).get("fail-with", "0")
    code = _CODES.get(int(wanted)) if isinstance(wanted, str) and wanted.isdecimal() else None
    return f"fail-with is {wanted!r}; expected 0 to 16" if code is None else code


def caller(metadata: Iterable[Any], connection: Any) -> str:
    """` of spiffe://...`: who calls, by the connection's own certificate, else as a proxy in between has it; empty
    where nobody proves it. `connection` is gRPC's auth_context."""
    for identity in connection.get("peer_spiffe_id", ()):
        return f" of {identity.decode()}"
    forwarded = str(dict(metadata).get("x-forwarded-client-cert", ""))
    uris = [part.removeprefix("URI=") for part in forwarded.split(";") if part.startswith("URI=")]
    return f" of {uris[0]}" if uris else ""


class Echo:
    """What is said comes back with who answered: `v1 echo-abc: hello`.

    Metadata `fail-with: 14` (a gRPC status code) makes a call fail so.
    """

    def __init__(self, version: str, instance: str) -> None:
        self._who = f"{version} {instance}"

    def answer(self, request: StringValue) -> StringValue:
        return StringValue(value=f"{self._who}: {request.value}")

    async def echo(self, request: StringValue, context: grpc.aio.ServicerContext) -> StringValue:
        metadata = context.invocation_metadata() or ()
        code = wanted_failure(metadata)
        if isinstance(code, str):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, code)
        if code is not grpc.StatusCode.OK:
            await context.abort(code, "as asked")
        say(f"Echo {request.value!r}{caller(metadata, context.auth_context())}")
        return self.answer(request)

    async def echo_each(
        self, requests: AsyncIterator[StringValue], _context: grpc.aio.ServicerContext
    ) -> AsyncIterator[StringValue]:
        async for request in requests:
            say(f"EchoEach {request.value!r}")
            yield self.answer(request)

    def handler(self) -> grpc.GenericRpcHandler:
        codec = {"request_deserializer": StringValue.FromString, "response_serializer": StringValue.SerializeToString}
        return grpc.method_handlers_generic_handler(
            "lateen.samples.Echo",
            {
                "Echo": grpc.unary_unary_rpc_method_handler(self.echo, **codec),
                "EchoEach": grpc.stream_stream_rpc_method_handler(self.echo_each, **codec),
            },
        )


class Health:
    """grpc.health.v1.Health. Its messages have one field each, as StringValue and Int32Value have on the wire."""

    def __init__(self) -> None:
        self._ending = asyncio.Event()

    def end(self) -> None:
        self._ending.set()

    def _status(self) -> Int32Value:
        return Int32Value(value=_NOT_SERVING if self._ending.is_set() else _SERVING)

    async def check(self, request: StringValue, context: grpc.aio.ServicerContext) -> Int32Value:
        if request.value not in _SERVICES:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.value!r}")
        return self._status()

    async def watch(self, request: StringValue, context: grpc.aio.ServicerContext) -> AsyncIterator[Int32Value]:
        if request.value not in _SERVICES:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.value!r}")
        yield self._status()
        await self._ending.wait()
        yield self._status()

    def handler(self) -> grpc.GenericRpcHandler:
        codec = {"request_deserializer": StringValue.FromString, "response_serializer": Int32Value.SerializeToString}
        return grpc.method_handlers_generic_handler(
            "grpc.health.v1.Health",
            {
                "Check": grpc.unary_unary_rpc_method_handler(self.check, **codec),
                "Watch": grpc.unary_stream_rpc_method_handler(self.watch, **codec),
            },
        )


class Server:
    """`await start()`, then `await drain(enough)` once. Raises OSError when the port cannot be had."""

    def __init__(self, echo: Echo, address: str) -> None:
        self._health = Health()
        self._address = address
        self._server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.so_reuseport", 0)]
        )
        self._server.add_generic_rpc_handlers((echo.handler(), self._health.handler()))

    async def start(self) -> int:
        """Returns the port."""
        try:
            port = int(self._server.add_insecure_port(self._address))
        except RuntimeError as error:
            raise OSError(f"{self._address}: {error}") from error
        await self._server.start()
        return port

    async def drain(self, enough: Awaitable[object]) -> None:
        """Serves until `enough` as one that is about to end, then ends what is in flight."""
        self._health.end()
        await enough
        await self._server.stop(IN_FLIGHT_SECONDS)

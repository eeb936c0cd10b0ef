"""helloworld, tcp-echo, websockets, grpc-echo: each over a real connection."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

import grpc
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from lateen.samples.grpc_echo import ECHO, ECHO_EACH
from lateen.samples.grpc_echo.client import call
from lateen.samples.grpc_echo.server import Echo, Server
from lateen.samples.helloworld import helloworld
from lateen.samples.tcp_echo import listening, ports_of
from lateen.samples.websockets import websockets

LOOPBACK = "127.0.0.1"


async def test_helloworld_tells_version_and_instance() -> None:
    async with TestClient(TestServer(helloworld("v2", "helloworld-v2-x"))) as client:
        async with client.get("/hello") as response:
            assert await response.text() == "Hello version: v2, instance: helloworld-v2-x\n"
        async with client.get("/health") as response:
            assert response.status == 200


async def test_tcp_echo_prefixes_whole_lines_on_every_port() -> None:
    async with listening([0, 0], "hello", host=LOOPBACK) as ports:
        assert len(set(ports)) == 2
        for port in ports:
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(b"world\nagain\npart")
            assert await reader.readline() == b"hello world\n"
            assert await reader.readline() == b"hello again\n"
            writer.write_eof()
            assert await reader.read() == b"", "what is no whole line is not answered"
            writer.close()
        idle, sender = await asyncio.open_connection(LOOPBACK, ports[0])
        sender.write(b"there\n")
        assert await idle.readline() == b"hello there\n"
    assert await asyncio.wait_for(idle.read(), 60) == b"", "the end of the server is the end of its connections"


async def test_netcat_sends_its_input_and_shows_what_comes_back() -> None:
    async with listening([0], "one", host=LOOPBACK) as ports:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lateen.samples.nc", LOOPBACK, str(ports[0])),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(process.communicate(b"world\n"), 120)
        assert (process.returncode, out) == (0, b"one world\n")


def test_tcp_echo_ports_are_joined_by_commas() -> None:
    assert ports_of("9000,9001,9002") == [9000, 9001, 9002]
    for bad in ("", "9000,", "a", "0", "70000"):
        with pytest.raises(argparse.ArgumentTypeError, match="expected ports"):
            ports_of(bad)


async def test_websockets_echo_and_tell_everybody() -> None:
    client: TestClient[web.Request, web.Application]
    async with TestClient(TestServer(websockets())) as client:
        async with client.get("/") as response:
            assert "new WebSocket" in await response.text()
        async with client.ws_connect("/ws") as one, client.ws_connect("/ws") as other:
            await one.send_str("ahoy")
            assert await one.receive_str(timeout=60) == "ahoy"
            await other.send_bytes(b"\x00\xff")
            assert await other.receive_bytes(timeout=60) == b"\x00\xff"
            async with client.get("/api?id=1&value=50") as response:
                assert await response.json() == {"sent": 2}
            for each in (one, other):
                assert await each.receive_json(timeout=60) == {"id": "1", "value": "50"}
        async with client.get("/api?id=1") as response:
            assert response.status == 400


async def _call(channel: grpc.aio.Channel, method: str, said: str, answer: Any = StringValue, **options: Any) -> Any:
    ask = channel.unary_unary(
        method, request_serializer=StringValue.SerializeToString, response_deserializer=answer.FromString
    )
    return (await ask(StringValue(value=said), timeout=60, **options)).value


async def test_grpc_echo_answers_fails_as_asked_and_is_healthy_until_it_ends() -> None:
    server = Server(Echo("v1", "echo-x"), f"{LOOPBACK}:0")
    target = f"{LOOPBACK}:{await server.start()}"
    assert await call(target, "ahoy", 2) == ["v1 echo-x: ahoy", "v1 echo-x: ahoy"]
    async with grpc.aio.insecure_channel(target) as channel:
        for wanted, code in (("14", grpc.StatusCode.UNAVAILABLE), ("99", grpc.StatusCode.INVALID_ARGUMENT)):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await _call(channel, ECHO, "x", metadata=(("fail-with", wanted),))
            assert failed.value.code() is code
        each = channel.stream_stream(
            ECHO_EACH, request_serializer=StringValue.SerializeToString, response_deserializer=StringValue.FromString
        )(iter([StringValue(value="a"), StringValue(value="b")]))
        assert [answer.value async for answer in each] == ["v1 echo-x: a", "v1 echo-x: b"]

        health = "/grpc.health.v1.Health/"
        assert await _call(channel, f"{health}Check", "lateen.samples.Echo", Int32Value) == 1
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await _call(channel, f"{health}Check", "other", Int32Value)
        assert failed.value.code() is grpc.StatusCode.NOT_FOUND
        watch = channel.unary_stream(
            f"{health}Watch",
            request_serializer=StringValue.SerializeToString,
            response_deserializer=Int32Value.FromString,
        )(StringValue())
        assert (await watch.read()).value == 1
        enough = asyncio.Event()
        draining = asyncio.create_task(server.drain(enough.wait()))
        assert (await watch.read()).value == 2
        assert await call(target, "still", 1) == ["v1 echo-x: still"]
        enough.set()
        await draining
    assert (await call(target, "gone", 1))[0].startswith("UNAVAILABLE: ")


async def test_a_taken_port_is_an_error_that_says_so() -> None:
    first, second = Server(Echo("v1", "a"), f"{LOOPBACK}:0"), None
    port = await first.start()
    second = Server(Echo("v1", "b"), f"{LOOPBACK}:{port}")
    with pytest.raises(OSError, match=str(port)):
        await second.start()
    await first.drain(asyncio.sleep(0))

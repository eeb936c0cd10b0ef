"""Bad requests and bad clients: the right Status for each, and a server that stays well, for everybody else too."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from lateen.cluster.layout import load
from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

JSON, YAML = "application/json", "application/yaml"
BOMB = "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
TWICE = '{"metadata": {"name": "twice"}, "data": {"a": "1", "a": "2"}}'
JSON_PATCH = "application/json-patch+json"
COPY = ',{"op":"copy","from":"/data/x","path":"/data/x/-"}'
DOUBLING = '[{"op":"add","path":"/data/x","value":["a"]}' + COPY * 40 + "]"
BAD_BODIES: list[tuple[str, str, str | bytes, int, str]] = [
    ("POST", JSON, '{"metadata": {"name":', 400, "BadRequest"),
    ("POST", JSON, "", 400, "BadRequest"),
    ("POST", JSON, "[1, 2]", 400, "BadRequest"),
    ("POST", JSON, '{"metadata": {"name": "x"}, "data": {"a": NaN}}', 400, "BadRequest"),
    ("POST", JSON, b'{"metadata": {"name": "x"}, "data": {"a": "\xff\xfe"}}', 400, "BadRequest"),
    ("POST", JSON, '{"metadata": {"name": "x"}, "a": ' + "[" * 100_000 + "]" * 100_000 + "}", 400, "BadRequest"),
    ("POST", JSON, '{"a": ' * 5_000 + "1" + "}" * 5_000, 400, "BadRequest"),
    ("POST", JSON, b'{"metadata": {"name": "x"}, "data": {"a": "' + b"x" * 10_000_000 + b'"}}', 413,
     "RequestEntityTooLarge"),
    ("POST", YAML, "a: [b\n c: }", 400, "BadRequest"),
    ("POST", YAML, BOMB, 400, "BadRequest"),
    ("POST", YAML, "[" * 100_000, 400, "BadRequest"),
    ("POST", YAML, "\n".join(" " * level + "a:" for level in range(1_500)), 400, "BadRequest"),
    ("POST", "application/vnd.kubernetes.protobuf", b"k8s\x00\xff\xff\xff", 400, "BadRequest"),
    ("POST", "text/html", TWICE, 415, "UnsupportedMediaType"),
    ("PATCH", JSON, "{}", 415, "UnsupportedMediaType"),
    ("PATCH", "application/merge-patch+json", '{"a', 400, "BadRequest"),
    ("PATCH", JSON_PATCH, '{"op": "add"}', 400, "BadRequest"),
    ("PATCH", JSON_PATCH, DOUBLING, 422, "Invalid"),
    ("PATCH", "application/apply-patch+yaml", BOMB, 400, "BadRequest"),
]  # fmt: skip


@asynccontextmanager
async def connections(count: int, port: int, tls: ssl.SSLContext | None, sent: bytes) -> AsyncIterator[None]:
    """Clients that send something, never read, and stay."""
    made: list[asyncio.StreamWriter] = []
    try:
        for _ in range(count):
            host = "127.0.0.1" if tls else None
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=host)
            made.append(writer)
            writer.write(sent)
            writer.transport.pause_reading()
        yield
    finally:
        for writer in made:
            writer.transport.abort()


def resident_megabytes(fragile: LocalCluster) -> int:
    with open(f"/proc/{fragile.pid_of('apiserver')}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


async def test_every_bad_body_gets_its_status(fragile: LocalCluster, room: str, http: aiohttp.ClientSession) -> None:
    path = f"/api/v1/namespaces/{room}/configmaps"
    pid = fragile.pid_of("apiserver")
    async with http.post(path, json={"metadata": {"name": "there"}, "data": {"a": "1"}}) as answer:
        assert answer.status == 201
    for method, content_type, body, code, reason in BAD_BODIES:
        target = path if method == "POST" else f"{path}/there?fieldManager=test"
        async with http.request(method, target, data=body, headers={"Content-Type": content_type}) as answer:
            status = await answer.json()
        shown = (method, content_type, body[:40], status)
        assert (status["kind"], status["code"], status["reason"]) == ("Status", code, reason), shown
        assert answer.status == code, shown
        assert status["message"], shown

    async with http.post(f"{path}?fieldValidation=Strict", data=TWICE, headers={"Content-Type": JSON}) as answer:
        assert answer.status == 400
        assert 'strict decoding error: duplicate field "data.a"' in (await answer.json())["message"]
    async with http.post(f"{path}?fieldValidation=Warn", data=TWICE, headers={"Content-Type": JSON}) as answer:
        assert answer.status == 201
        assert answer.headers["Warning"] == '299 - "duplicate field \\"data.a\\""'

    for garbage in (os.urandom(4096), b"GET /api HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(64)):
        reader, writer = await asyncio.open_connection("127.0.0.1", load(fragile.root).api_port)
        writer.write(garbage)
        # No HTTP for who speaks no TLS: an alert at most.
        assert b"HTTP/1.1 2" not in await reader.read()
        writer.close()
    async with http.get(f"{path}/there") as answer:
        assert (await answer.json())["data"] == {"a": "1"}
    assert fragile.pid_of("apiserver") == pid


async def test_slow_clients_harm_nobody(
    fragile: LocalCluster, room: str, http: aiohttp.ClientSession, tls: ssl.SSLContext
) -> None:
    path = f"/api/v1/namespaces/{room}/configmaps"
    port = load(fragile.root).api_port
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: 100000\r\n\r\n{{".encode()
    watch = f"GET {path}?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    pid = fragile.pid_of("apiserver")
    async with (
        connections(1500, port, None, b""),
        # More than may be in flight at once: they must not count before they have arrived.
        connections(250, port, tls, head),
        connections(50, port, tls, b"GET /api HTTP/1.1\r\nHost: x\r\nX-Endless: "),
        connections(30, port, tls, watch),
    ):
        body: dict[str, Any] = {"metadata": {"name": "large"}, "data": {"value": "x" * 900_000}}
        async with http.post(path, json=body) as answer:
            assert answer.status == 201, await answer.text()
        before = resident_megabytes(fragile)
        for turn in range(150):
            body["metadata"]["labels"] = {"turn": str(turn)}
            async with http.put(f"{path}/large", json=body) as answer:
                assert answer.status == 200, await answer.text()
        # 135 MB of changes were written which none of 30 watchers has read; the bounds are those of the store.
        assert resident_megabytes(fragile) - before < 400
        async with http.get(f"{path}/large") as answer:
            assert (await answer.json())["metadata"]["labels"] == {"turn": "149"}
        fragile.kubectl("create", "configmap", "other", "-n", room)
    assert fragile.pid_of("apiserver") == pid

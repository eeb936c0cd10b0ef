"""TLS that a DestinationRule originates, over real ADS: to the right server, and to no other."""

from __future__ import annotations

import asyncio
import http.client
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lateen.testing.certificates import Authority, server_tls
from lateen.testing.free_port import free_port
from lateen.testing.mesh import Mesh
from lateen.testing.running_envoy import RunningEnvoy, ads_bootstrap
from lateen.testing.served_mesh import served

NODE = "router~127.0.0.1~gateway.istio-system~istio-system.svc.cluster.local"
HOST = "a.example.com"


def mesh_of(gateway: int, server: int, tls: dict[str, Any]) -> Mesh:
    """A gateway that forwards plain HTTP for a host to a server that speaks TLS."""

    def resource(kind: str, **spec: Any) -> dict[str, Any]:
        return {"kind": kind, "metadata": {"name": "test", "namespace": "istio-system"}, "spec": spec}

    endpoint = {"address": "127.0.0.1", "ports": {"http": server}}
    port = {"number": gateway, "name": "http", "protocol": "HTTP"}
    return Mesh(
        resource(
            "Gateway", selector={"istio": "ingress"}, servers=[{"port": port, "bind": "127.0.0.1", "hosts": [HOST]}]
        ),
        resource(
            "VirtualService",
            hosts=[HOST],
            gateways=["test"],
            http=[{"route": [{"destination": {"host": HOST}}], "retries": {"attempts": 0}}],
        ),
        resource(
            "ServiceEntry",
            hosts=[HOST],
            location="MESH_EXTERNAL",
            resolution="STATIC",
            ports=[{"number": 80, "name": "http", "protocol": "HTTP"}],
            endpoints=[endpoint],
        ),
        resource("DestinationRule", host=HOST, trafficPolicy={"tls": tls}),
    )


@asynccontextmanager
async def tls_server(authority: Authority, name: str) -> AsyncIterator[int]:
    """Answers any request over TLS with a certificate for `name`; wants no client certificate, but tells of one."""
    context = server_tls(authority.issue(name))
    context.load_verify_locations(cadata=authority.root)
    context.verify_mode = ssl.CERT_OPTIONAL

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            shown = b"shown" if writer.get_extra_info("peercert") else b"none"
            head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(shown)}\r\nconnection: close\r\n\r\n".encode()
            writer.write(head + shown)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def get(port: int) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/", headers={"host": HOST})
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


async def asked(mesh: Mesh, port: int) -> tuple[int, str]:
    """What a real gateway answers, once it listens."""
    metadata = {"LABELS": {"istio": "ingress"}, "NAMESPACE": "istio-system"}
    async with served(mesh) as ads, RunningEnvoy(ads_bootstrap(NODE, ads.port, metadata=metadata)) as envoy:
        await asyncio.to_thread(envoy.until, lambda: get(port)[0] not in (0, 404), "the gateway listens", 40)
        return await asyncio.to_thread(get, port)


@pytest.mark.parametrize(
    ("certified", "tls", "status"),
    [
        (HOST, {"mode": "SIMPLE"}, 200),
        ("b.example.com", {"mode": "SIMPLE"}, 503),
        ("b.example.com", {"mode": "SIMPLE", "subjectAltNames": ["b.example.com"]}, 200),
        (HOST, {"mode": "SIMPLE", "subjectAltNames": ["b.example.com"]}, 503),
        (HOST, {"mode": "DISABLE"}, 503),
    ],
    ids=["named", "misnamed", "other-name", "wrong-name", "plain"],
)
async def test_only_a_server_that_proves_its_name_is_spoken_to(
    tmp_path: Path, certified: str, tls: dict[str, Any], status: int
) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_text(authority.root)
    roots = {"caCertificates": str(tmp_path / "ca.pem")} if tls["mode"] == "SIMPLE" else {}
    port = free_port()
    async with tls_server(authority, certified) as server:
        found, body = await asked(mesh_of(port, server, {**tls, **roots}), port)
    assert found == status
    assert body == "none" or status != 200


async def test_an_unknown_authority_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(Authority("another").root)
    port = free_port()
    tls = {"mode": "SIMPLE", "caCertificates": str(tmp_path / "ca.pem")}
    async with tls_server(Authority(), HOST) as server:
        assert (await asked(mesh_of(port, server, tls), port))[0] == 503


async def test_the_client_shows_its_certificate(tmp_path: Path) -> None:
    authority = Authority()
    pair = authority.issue("client")
    for name, text in (("ca.pem", authority.root), ("crt.pem", pair.certificate), ("key.pem", pair.key)):
        (tmp_path / name).write_text(text)
    tls = {
        "mode": "MUTUAL",
        "clientCertificate": str(tmp_path / "crt.pem"),
        "privateKey": str(tmp_path / "key.pem"),
        "caCertificates": str(tmp_path / "ca.pem"),
    }
    port = free_port()
    async with tls_server(authority, HOST) as server:
        assert await asked(mesh_of(port, server, tls), port) == (200, "shown")


async def test_the_client_s_certificate_may_be_a_secret() -> None:
    authority = Authority()
    pair = authority.issue("client")
    data = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": authority.root}
    secret = {"kind": "Secret", "metadata": {"name": "client", "namespace": "istio-system"}, "stringData": data}
    port = free_port()
    async with tls_server(authority, HOST) as server:
        mesh = mesh_of(port, server, {"mode": "MUTUAL", "credentialName": "client"})
        mesh.apply(secret)
        assert await asked(mesh, port) == (200, "shown")

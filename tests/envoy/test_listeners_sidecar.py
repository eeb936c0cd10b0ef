"""A real Envoy as the sidecars of both sides: protocols found out, servers that speak first, mutual TLS.

Nothing is captured (interception NONE): the client's sidecar listens on the services' ports at loopback, the server's
on the ports of its Sidecar resource.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from lateen.model.proxy import Interception, Traits
from lateen.testing.backends import http_backend, tcp_backend, tcp_say
from lateen.testing.certificates import Authority, client_tls, server_tls
from lateen.testing.free_port import free_port
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.testing.running_envoy import RunningEnvoy
from lateen.testing.static_bootstrap import static_bootstrap

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVER = "127.0.0.2"
"""The server's address: what listens at 127.0.0.1 is in no mesh."""
CLIENT = "spiffe://cluster.local/ns/default/sa/client"
PLAIN = (
    "shared",
    "own",
    "greeter",
    "patient",
    "undeclared-http",
    "undeclared-tcp",
    "mesh-http",
    "mesh-undeclared",
    "mesh-tcp",
)
"""Ports of services, at the client."""
PERMISSIVE = ("http", "tcp", "sniffed", "tls")
STRICT = ("strict-http", "strict-tcp", "strict-sniffed")
DISABLED = ("disabled",)
"""Ports of the server, by what is asked of callers."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    told: Any
    """What the backend says it got."""


class World:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority()
        self.ports = {name: free_port() for name in (*PLAIN, *PERMISSIVE, *STRICT, *DISABLED)}

    def mutual(self, alpn: str, identity: str = CLIENT, issuer: Authority | None = None) -> ssl.SSLContext:
        """A caller of the mesh, or one that would like to be."""
        context = client_tls(self.authority.root, (issuer or self.authority).issue(identity), (alpn,))
        context.check_hostname = False
        return context

    async def get(
        self, port: str, host: str = "x.com", context: ssl.SSLContext | None = None, **headers: str
    ) -> Answer:
        """One request. Raises OSError when the connection or the handshake is refused."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await asyncio.to_thread(self._get, self.address(port), host, context, named)

    def address(self, port: str) -> tuple[str, int]:
        return ("127.0.0.1" if port in PLAIN else SERVER, self.ports[port])

    def _get(
        self, address: tuple[str, int], host: str, context: ssl.SSLContext | None, headers: dict[str, str]
    ) -> Answer:
        sock = socket.create_connection(address, timeout=60)
        connection = http.client.HTTPConnection(host)
        connection.sock = context.wrap_socket(sock) if context is not None else sock
        try:
            connection.request("GET", "/", headers=headers)
            answer = connection.getresponse()
            answered = {name.lower(): value for name, value in answer.getheaders()}
            body = answer.read()
            return Answer(answer.status, answered, json.loads(body) if answer.status == 200 else body)
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    async def first_line(self, port: str, text: str = "", context: ssl.SSLContext | None = None) -> str:
        """What comes back, for a line or for nothing."""
        reader, writer = await asyncio.open_connection(*self.address(port), ssl=context)
        if text:
            writer.write(text.encode() + b"\n")
        line = await asyncio.wait_for(reader.readline(), 60)
        writer.close()
        return line.decode().rstrip("\n")


def service(
    name: str, port: int, port_name: str, target: int, *, pod: str = ""
) -> tuple[dict[str, Any], dict[str, Any]]:
    ports = [{"name": port_name, "port": port, "targetPort": target}]
    slices = endpoint_slice(
        name, ports={port_name: target}, addresses=() if pod else ("127.0.0.1",), pods={pod: SERVER} if pod else {}
    )
    metadata = {"name": name, "namespace": "default"}
    return {"kind": "Service", "metadata": metadata, "spec": {"clusterIP": "10.0.0.1", "ports": ports}}, slices


def ingress(world: World, port: str, protocol: str, target: int) -> dict[str, Any]:
    return {
        "port": {"number": world.ports[port], "name": port, "protocol": protocol},
        "bind": SERVER,
        "defaultEndpoint": f"127.0.0.1:{target}",
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    world = World(tmp_path_factory.mktemp("world"))
    ports = world.ports
    own = server_tls(world.authority.issue("own.com"))
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(http_backend("a"))
        b = await stack.enter_async_context(http_backend("b"))
        lines = await stack.enter_async_context(tcp_backend("lines"))
        greeter = await stack.enter_async_context(tcp_backend("greeter", greets=True))
        tls_port = await stack.enter_async_context(tcp_backend("own", tls=own))
        mesh = Mesh()
        labels = {"app": "server", "security.istio.io/tlsMode": "istio"}
        mesh.apply(
            *service("a", ports["shared"], "http", a),
            *service("b", ports["shared"], "http-b", b),
            *service("lines", ports["own"], "tcp", lines),
            *service("greeter", ports["greeter"], "tcp", greeter),
            *service("undeclared-http", ports["undeclared-http"], "", a),
            *service("undeclared-tcp", ports["undeclared-tcp"], "", lines),
            *service("mesh-http", ports["mesh-http"], "http", ports["strict-http"], pod="server"),
            *service("mesh-undeclared", ports["mesh-undeclared"], "", ports["strict-sniffed"], pod="server"),
            *service("mesh-tcp", ports["mesh-tcp"], "tcp", ports["strict-tcp"], pod="server"),
            {
                "kind": "Pod",
                "metadata": {"name": "server", "namespace": "default", "labels": labels},
                "status": {"podIP": SERVER, "phase": "Running"},
            },
            {
                "kind": "PeerAuthentication",
                "metadata": {"name": "server", "namespace": "default"},
                "spec": {
                    "selector": {"matchLabels": {"app": "server"}},
                    "mtls": {"mode": "PERMISSIVE"},
                    "portLevelMtls": {
                        **{str(ports[name]): {"mode": "STRICT"} for name in STRICT},
                        **{str(ports[name]): {"mode": "DISABLE"} for name in DISABLED},
                    },
                },
            },
            {
                "kind": "Sidecar",
                "metadata": {"name": "server", "namespace": "default"},
                "spec": {
                    "workloadSelector": {"labels": {"app": "server"}},
                    "egress": [{"hosts": ["~/*"]}],
                    "ingress": [
                        ingress(world, "http", "HTTP", a),
                        ingress(world, "tcp", "TCP", lines),
                        ingress(world, "sniffed", "", a),
                        ingress(world, "tls", "TCP", tls_port),
                        ingress(world, "strict-http", "HTTP", a),
                        ingress(world, "strict-tcp", "TCP", lines),
                        ingress(world, "strict-sniffed", "", a),
                        ingress(world, "disabled", "TCP", greeter),
                    ],
                },
            },
        )
        patient = Mesh()
        patient.mesh_config("protocolDetectionTimeout: 0.1s")
        patient.apply(*service("patient", ports["patient"], "", greeter))
        async with RunningEnvoy(_bootstrap(world, mesh, labels, patient)) as envoy:
            await asyncio.to_thread(
                envoy.until, lambda: len(envoy.addresses()) == len(ports), "all ports are listened on"
            )
            yield world


def _bootstrap(world: World, mesh: Mesh, labels: dict[str, str], patient: Mesh) -> dict[str, Any]:
    def traits(name: str, identity: str) -> Traits:
        certificates = world.authority.workload(world.directory / name, identity)
        return Traits(interception=Interception.NONE, certificates=certificates)

    server = traits("server", "spiffe://cluster.local/ns/default/sa/default")
    client = traits("client", CLIENT)
    return static_bootstrap(
        (mesh, mesh.proxy("server.default", labels, addresses=(SERVER,), traits=server)),
        (mesh, mesh.proxy("client.default", addresses=("127.0.0.9",), traits=client)),
        (patient, patient.proxy("client.default", addresses=("127.0.0.9",), traits=client)),
    )


@pytest.mark.parametrize(("host", "backend"), [("a", "a"), ("b.default.svc.cluster.local", "b")])
async def test_http_services_share_a_port(world: World, host: str, backend: str) -> None:
    answer = await world.get("shared", host)
    assert answer.told["name"] == backend
    assert answer.headers["server"] == "envoy"


async def test_byte_streams_go_to_the_service_of_their_port(world: World) -> None:
    assert await tcp_say("127.0.0.1", world.ports["own"], "good morning") == "lines: good morning"


async def test_a_server_that_speaks_first_is_heard_on_a_declared_port(world: World) -> None:
    assert await world.first_line("greeter") == "hello from greeter"


async def test_with_a_timeout_it_is_heard_on_an_undeclared_port_too(world: World) -> None:
    assert await world.first_line("patient") == "hello from greeter"


async def test_undeclared_ports_are_http_where_it_looks_like_http(world: World) -> None:
    assert (await world.get("undeclared-http", "undeclared-http")).headers["server"] == "envoy"


async def test_undeclared_ports_pass_on_what_is_not_http(world: World) -> None:
    assert await world.first_line("undeclared-tcp", "good morning") == "lines: good morning"


async def test_permissive_http_takes_plain_text_and_mutual_tls(world: World) -> None:
    plain = await world.get("http")
    assert "x-forwarded-client-cert" not in plain.told["headers"]
    mutual = await world.get("http", context=world.mutual("istio"))
    assert f"URI={CLIENT}" in mutual.told["headers"]["x-forwarded-client-cert"]


async def test_permissive_byte_streams(world: World) -> None:
    assert await world.first_line("tcp", "good morning") == "lines: good morning"
    assert await world.first_line("tcp", "good morning", world.mutual("istio")) == "lines: good morning"


async def test_permissive_lets_the_applications_own_tls_through(world: World) -> None:
    context = ssl.create_default_context(cadata=world.authority.root)
    context.check_hostname = False
    assert await world.first_line("tls", "good morning", context) == "own: good morning"


async def test_permissive_undeclared_ports_are_told_apart_by_alpn(world: World) -> None:
    http = await world.get("sniffed", context=world.mutual("istio-http/1.1"))
    assert "x-forwarded-client-cert" in http.told["headers"]
    stream = await world.get("sniffed", context=world.mutual("istio"))
    assert "x-forwarded-client-cert" not in stream.told["headers"], "it is passed on as it comes"
    assert (await world.get("sniffed")).headers["server"] == "istio-envoy"


@pytest.mark.parametrize("port", STRICT)
async def test_strict_refuses_plain_text(world: World, port: str) -> None:
    with pytest.raises(OSError):
        await world.get(port)


async def test_strict_takes_callers_of_the_mesh(world: World) -> None:
    answer = await world.get("strict-http", context=world.mutual("istio"))
    assert f"URI={CLIENT}" in answer.told["headers"]["x-forwarded-client-cert"]
    assert await world.first_line("strict-tcp", "good morning", world.mutual("istio")) == "lines: good morning"


async def test_strict_refuses_strangers(world: World) -> None:
    stranger = world.mutual("istio", issuer=Authority())
    foreigner = world.mutual("istio", "spiffe://elsewhere/ns/default/sa/client")
    nobody = ssl.create_default_context(cadata=world.authority.root)
    nobody.check_hostname = False
    for context in (stranger, foreigner, nobody):
        with pytest.raises(OSError):
            await world.get("strict-http", context=context)


async def test_what_callers_claim_of_certificates_counts_only_from_the_mesh(world: World) -> None:
    forged = "URI=spiffe://cluster.local/ns/default/sa/admin"
    plain = await world.get("http", x_forwarded_client_cert=forged)
    assert "x-forwarded-client-cert" not in plain.told["headers"]
    mutual = await world.get("http", context=world.mutual("istio"), x_forwarded_client_cert=forged)
    claimed, own = mutual.told["headers"]["x-forwarded-client-cert"].split(",")
    assert claimed == forged
    assert f"URI={CLIENT}" in own, "the proxy's own word comes last"


async def test_disabled_servers_may_speak_first(world: World) -> None:
    assert await world.first_line("disabled") == "hello from greeter"


async def test_from_sidecar_to_sidecar_http(world: World) -> None:
    answer = await world.get("mesh-http", "mesh-http")
    assert answer.status == 200, answer
    assert f"URI={CLIENT}" in answer.told["headers"]["x-forwarded-client-cert"]


async def test_from_sidecar_to_sidecar_http_on_an_undeclared_port(world: World) -> None:
    answer = await world.get("mesh-undeclared", "mesh-undeclared")
    assert answer.status == 200, answer
    assert f"URI={CLIENT}" in answer.told["headers"]["x-forwarded-client-cert"], "announced as HTTP, so handled as HTTP"


async def test_from_sidecar_to_sidecar_byte_streams(world: World) -> None:
    assert await world.first_line("mesh-tcp", "good morning") == "lines: good morning"

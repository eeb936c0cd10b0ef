"""A real Envoy as a gateway: server names, TLS modes, redirects, byte streams. One Envoy for all cases."""

from __future__ import annotations

import asyncio
import base64
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

from lateen.model.proxy import Traits
from lateen.testing.backends import http_backend, tcp_backend, tcp_say
from lateen.testing.certificates import Authority, Pair, client_tls, server_tls
from lateen.testing.free_port import free_port
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.testing.running_envoy import RunningEnvoy
from lateen.testing.static_bootstrap import static_bootstrap

pytestmark = pytest.mark.asyncio(loop_scope="module")

PORTS = ("http", "https", "passthrough", "tls", "tcp")


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str
    server_names: tuple[str, ...] = ()
    """Of the certificate that the gateway showed."""
    alpn: str | None = None

    @property
    def told(self) -> Any:
        """What the backend says it got."""
        return json.loads(self.body)


class Edge:
    """A running gateway and what its clients need."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.servers = Authority("servers")
        self.clients = Authority("clients")
        self.ports = {name: free_port() for name in PORTS}

    def context(self, certificate: Pair | None = None, **limits: Any) -> ssl.SSLContext:
        context = client_tls(self.servers.root, certificate, limits.pop("alpn", ("http/1.1",)))
        for name, value in limits.items():
            setattr(context, name, value)
        return context

    async def get(self, port: str, host: str, context: ssl.SSLContext | None = None, path: str = "/") -> Answer:
        """One request. Raises OSError when the connection or the handshake is refused."""
        return await asyncio.to_thread(self._get, self.ports[port], host, context, path)

    def _get(self, port: int, host: str, context: ssl.SSLContext | None, path: str) -> Answer:
        sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        names: tuple[str, ...] = ()
        alpn = None
        if context is not None:
            secure = context.wrap_socket(sock, server_hostname=host)
            found: Any = secure.getpeercert()
            names = tuple(value for kind, value in found["subjectAltName"] if kind == "DNS")
            alpn = secure.selected_alpn_protocol()
            sock = secure
        connection = http.client.HTTPConnection(host)
        connection.sock = sock
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read().decode(), names, alpn)
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    async def say(self, port: str, host: str, text: str) -> str:
        """Sends a line inside of TLS, and gives the one that comes back."""
        context = self.context(alpn=["h2"])
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[port], ssl=context, server_hostname=host)
        writer.write(text.encode() + b"\n")
        line = await asyncio.wait_for(reader.readline(), 60)
        writer.close()
        return line.decode().rstrip("\n")


def secret(name: str, pair: Pair | None = None, ca: str = "") -> dict[str, Any]:
    data = {"tls.crt": pair.certificate, "tls.key": pair.key} if pair else {}
    data |= {"ca.crt": ca} if ca else {}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    metadata = {"name": name, "namespace": "istio-system"}
    return {"kind": "Secret", "metadata": metadata, "type": "Opaque", "data": encoded}


def service(name: str, port: int, protocol: str = "http") -> tuple[dict[str, Any], dict[str, Any]]:
    spec = {"clusterIP": "10.0.0.1", "ports": [{"name": protocol, "port": 80}]}
    return (
        {"kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": spec},
        endpoint_slice(name, ports={protocol: port}, addresses=("127.0.0.1",)),
    )


def virtual_service(name: str, *hosts: str, **routes: Any) -> dict[str, Any]:
    spec = {"hosts": list(hosts), "gateways": ["istio-system/gw"], **routes}
    return {"kind": "VirtualService", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def to(host: str) -> list[dict[str, Any]]:
    return [{"route": [{"destination": {"host": host, "port": {"number": 80}}}]}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Edge]:
    edge = Edge(tmp_path_factory.mktemp("edge"))
    own = server_tls(edge.servers.issue("own.com"))
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(http_backend("a"))
        b = await stack.enter_async_context(http_backend("b"))
        lines = await stack.enter_async_context(tcp_backend("lines", greets=True))
        plain = await stack.enter_async_context(tcp_backend("plain"))
        tls = await stack.enter_async_context(tcp_backend("own", tls=own))
        mesh = Mesh()
        resources = [
            *service("a", a),
            *service("b", b),
            *service("lines", lines, "tcp"),
            *service("plain", plain, "tcp"),
            *service("own", tls, "tls"),
            secret("a", edge.servers.issue("a.com")),
            secret("b", edge.servers.issue("b.com", "*.wild.com")),
            secret(
                "mutual", edge.servers.issue("mutual.com", "optional.com", "named.com", "spki.com"), edge.clients.root
            ),
            virtual_service(
                "a", "a.com", "mutual.com", "optional.com", "named.com", "new.com", "redirect.com", http=to("a")
            ),
            virtual_service("b", "b.com", "*.wild.com", http=to("b")),
            virtual_service(
                "streams",
                "lines.com",
                tcp=[
                    {"match": [{"port": edge.ports["tcp"]}], **to("lines")[0]},
                    {"match": [{"port": edge.ports["tls"]}], **to("plain")[0]},
                ],
            ),
            virtual_service("own", "own.com", tls=[{"match": [{"sniHosts": ["own.com"]}], **to("own")[0]}]),
            gateway(edge),
        ]
        mesh.apply(*resources)
        certificates = Authority().workload(edge.directory / "sds", "spiffe://cluster.local/ns/istio-system/sa/default")
        bootstrap = static_bootstrap((mesh, mesh.gateway(traits=Traits(certificates=certificates))))
        async with RunningEnvoy(bootstrap) as envoy:
            await asyncio.to_thread(
                envoy.until, lambda: len(envoy.addresses()) == len(PORTS), "all ports are listened on"
            )
            yield edge


def gateway(edge: Edge) -> dict[str, Any]:
    numbers = iter(range(100))

    def server(port: str, protocol: str, *hosts: str, **tls: Any) -> dict[str, Any]:
        name = f"p{next(numbers)}"
        found: dict[str, Any] = {
            "port": {"number": edge.ports[port], "name": name, "protocol": protocol},
            "bind": "127.0.0.1",
            "hosts": list(hosts),
        }
        return {**found, "tls": tls} if tls else found

    client = {"mode": "MUTUAL", "credentialName": "mutual"}
    servers = [
        server("http", "HTTP", "a.com", "b.com"),
        server("http", "HTTP", "redirect.com", httpsRedirect=True),
        server("https", "HTTPS", "a.com", mode="SIMPLE", credentialName="a"),
        server("https", "HTTPS", "b.com", "*.wild.com", mode="SIMPLE", credentialName="b"),
        server("https", "HTTPS", "new.com", mode="SIMPLE", credentialName="a", minProtocolVersion="TLSV1_3"),
        server("https", "HTTPS", "mutual.com", **client),
        server("https", "HTTPS", "optional.com", **{**client, "mode": "OPTIONAL_MUTUAL"}),
        server("https", "HTTPS", "named.com", **client, subjectAltNames=["spiffe://x/friend"]),
        server("passthrough", "TLS", "own.com", mode="PASSTHROUGH"),
        server("tls", "TLS", "lines.com", mode="SIMPLE", credentialName="b"),
        server("tcp", "TCP", "*"),
    ]
    spec = {"selector": {"istio": "ingressgateway"}, "servers": servers}
    return {"kind": "Gateway", "metadata": {"name": "gw", "namespace": "istio-system"}, "spec": spec}


@pytest.mark.parametrize(("host", "backend"), [("a.com", "a"), ("b.com", "b")])
async def test_plain_http_by_host(edge: Edge, host: str, backend: str) -> None:
    answer = await edge.get("http", host)
    assert (answer.status, answer.told["name"]) == (200, backend)
    assert answer.headers["server"] == "istio-envoy"


async def test_an_unknown_host_is_not_found(edge: Edge) -> None:
    assert (await edge.get("http", "other.com")).status == 404


async def test_plain_http_is_redirected(edge: Edge) -> None:
    answer = await edge.get("http", "redirect.com", path="/x?y=1")
    assert (answer.status, answer.headers["location"]) == (301, "https://redirect.com/x?y=1")


@pytest.mark.parametrize(
    ("host", "names", "backend"),
    [
        ("a.com", ("a.com",), "a"),
        ("b.com", ("b.com", "*.wild.com"), "b"),
        ("x.wild.com", ("b.com", "*.wild.com"), "b"),
    ],
)
async def test_the_server_name_chooses_certificate_and_routes(
    edge: Edge, host: str, names: tuple[str, ...], backend: str
) -> None:
    answer = await edge.get("https", host, edge.context())
    assert (answer.server_names, answer.told["name"]) == (names, backend)
    assert answer.told["headers"]["x-forwarded-proto"] == "https"


async def test_an_unknown_server_name_is_refused(edge: Edge) -> None:
    with pytest.raises(OSError):
        await edge.get("https", "other.com", edge.context(check_hostname=False))


@pytest.mark.parametrize(("port", "host", "chosen"), [("https", "a.com", "h2"), ("tls", "b.com", None)])
async def test_http2_is_offered_by_what_speaks_http(edge: Edge, port: str, host: str, chosen: str | None) -> None:
    context = edge.context(alpn=["h2", "http/1.1"], check_hostname=False)
    name = "lines.com" if port == "tls" else host
    _, writer = await asyncio.open_connection("127.0.0.1", edge.ports[port], ssl=context, server_hostname=name)
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == chosen
    writer.close()


async def test_old_versions_are_refused_where_newer_ones_are_asked_for(edge: Edge) -> None:
    old = {"check_hostname": False, "maximum_version": ssl.TLSVersion.TLSv1_2}
    with pytest.raises(OSError):
        await edge.get("https", "new.com", edge.context(**old))
    assert (await edge.get("https", "a.com", edge.context(**old))).status == 200
    assert (await edge.get("https", "new.com", edge.context(check_hostname=False))).status == 200


async def test_mutual_tls_asks_for_a_certificate_of_its_authority(edge: Edge) -> None:
    good = edge.clients.issue("spiffe://x/someone")
    answer = await edge.get("https", "mutual.com", edge.context(good))
    assert "URI=spiffe://x/someone" in answer.told["headers"]["x-forwarded-client-cert"]
    for bad in (None, edge.servers.issue("spiffe://x/someone")):
        with pytest.raises(OSError):
            await edge.get("https", "mutual.com", edge.context(bad))


async def test_a_certificate_may_be_optional_but_not_wrong(edge: Edge) -> None:
    assert (await edge.get("https", "optional.com", edge.context())).status == 200
    good = await edge.get("https", "optional.com", edge.context(edge.clients.issue("spiffe://x/someone")))
    assert good.status == 200
    with pytest.raises(OSError):
        await edge.get("https", "optional.com", edge.context(edge.servers.issue("spiffe://x/someone")))


async def test_only_certificates_with_the_right_name(edge: Edge) -> None:
    assert (await edge.get("https", "named.com", edge.context(edge.clients.issue("spiffe://x/friend")))).status == 200
    with pytest.raises(OSError):
        await edge.get("https", "named.com", edge.context(edge.clients.issue("spiffe://x/foe")))


async def test_passed_through_tls_ends_at_the_backend(edge: Edge) -> None:
    assert await edge.say("passthrough", "own.com", "hi") == "own: hi"
    with pytest.raises(OSError):
        await edge.say("passthrough", "other.com", "hi")


async def test_byte_streams_inside_of_tls(edge: Edge) -> None:
    context = edge.context(check_hostname=False)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", edge.ports["tls"], ssl=context, server_hostname="lines.com"
    )
    writer.write(b"hi\n")
    assert await asyncio.wait_for(reader.readline(), 60) == b"plain: hi\n"
    writer.close()


async def test_a_server_that_speaks_first_is_heard(edge: Edge) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.ports["tcp"])
    assert await asyncio.wait_for(reader.readline(), 60) == b"hello from lines\n"
    writer.close()
    assert await tcp_say("127.0.0.1", edge.ports["tcp"], "x") == "hello from lines"

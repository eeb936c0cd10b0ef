from __future__ import annotations

import pytest

from lateen.model.protocol import Protocol
from lateen.model.protocol_selection import kubernetes_protocol, service_protocol


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("http", Protocol.HTTP),
        ("http-web", Protocol.HTTP),
        ("HTTP2-x", Protocol.HTTP2),
        ("grpc", Protocol.GRPC),
        ("grpc-web", Protocol.GRPC_WEB),
        ("grpc-web-1", Protocol.GRPC_WEB),
        ("grpc-x", Protocol.GRPC),
        ("https-ui", Protocol.HTTPS),
        ("tls", Protocol.TLS),
        ("tcp-db", Protocol.TCP),
        ("mongo", Protocol.MONGO),
        ("redis-x", Protocol.REDIS),
        ("mysql", Protocol.MYSQL),
        ("udp-by-name-only", Protocol.TCP),
        ("web", Protocol.UNSUPPORTED),
        ("httpx", Protocol.UNSUPPORTED),
        ("", Protocol.UNSUPPORTED),
    ],
)
def test_the_name_up_to_the_first_hyphen_says_the_protocol(name: str, expected: Protocol) -> None:
    assert kubernetes_protocol(8080, name, "TCP", None) is expected


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("grpc", Protocol.GRPC),
        ("kubernetes.io/h2c", Protocol.HTTP2),
        ("kubernetes.io/ws", Protocol.HTTP),
        ("kubernetes.io/wss", Protocol.HTTPS),
        ("example.com/own", Protocol.UNSUPPORTED),
    ],
)
def test_app_protocol_decides_over_the_name(declared: str, expected: Protocol) -> None:
    assert kubernetes_protocol(8080, "tcp-x", "TCP", declared) is expected


@pytest.mark.parametrize("port", [25, 53, 3306, 27017])
def test_undeclared_ports_of_server_first_protocols_are_not_looked_into(port: int) -> None:
    assert kubernetes_protocol(port, "", "TCP", None) is Protocol.TCP
    assert kubernetes_protocol(port, "http", "TCP", None) is Protocol.HTTP


def test_other_transports() -> None:
    assert kubernetes_protocol(53, "http", "UDP", "http") is Protocol.UDP
    assert kubernetes_protocol(53, "http", "SCTP", None) is Protocol.TCP


def test_protocols_of_the_mesh_api() -> None:
    assert service_protocol("gRPC-Web") is Protocol.GRPC_WEB
    assert service_protocol("HTTP_PROXY") is Protocol.HTTP
    assert service_protocol("") is Protocol.UNSUPPORTED

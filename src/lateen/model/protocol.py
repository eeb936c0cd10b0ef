"""What a port speaks."""

from __future__ import annotations

from enum import Enum


class Protocol(Enum):
    __hash__ = object.__hash__
    HTTP = "HTTP"
    HTTP2 = "HTTP2"
    GRPC = "GRPC"
    GRPC_WEB = "GRPC-Web"
    HTTPS = "HTTPS"
    TLS = "TLS"
    TCP = "TCP"
    MONGO = "Mongo"
    REDIS = "Redis"
    MYSQL = "MySQL"
    UDP = "UDP"
    HTTP_PROXY = "HTTP_PROXY"
    """Requests that name their destination themselves (Sidecar egress only)."""
    UNSUPPORTED = "UnsupportedProtocol"
    """Not declared: the proxy looks at the first bytes."""

    @property
    def is_http(self) -> bool:
        return self in _HTTP

    @property
    def is_http2(self) -> bool:
        return self in (Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB)

    @property
    def is_tls(self) -> bool:
        return self in (Protocol.HTTPS, Protocol.TLS)

    @property
    def is_tcp(self) -> bool:
        """Handled as a byte stream."""
        return self in _TCP

    @property
    def is_sniffed(self) -> bool:
        return self is Protocol.UNSUPPORTED


_HTTP = frozenset({Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB})
_TCP = frozenset({Protocol.TCP, Protocol.HTTPS, Protocol.TLS, Protocol.MONGO, Protocol.REDIS, Protocol.MYSQL})


_DECLARED = {protocol.value.upper(): protocol for protocol in Protocol if protocol is not Protocol.UNSUPPORTED}


def declared_protocol(text: str) -> Protocol:
    """The protocol that a resource of the mesh declares for a port, in any case; UNSUPPORTED when it is none."""
    return _DECLARED.get(text.upper(), Protocol.UNSUPPORTED)

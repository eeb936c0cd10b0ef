"""What a port speaks, from what a user declared of it (Istio's rules of protocol selection)."""

from __future__ import annotations

from lateen.model.protocol import Protocol, declared_protocol

_STANDARD = {
    "kubernetes.io/h2c": Protocol.HTTP2,
    "kubernetes.io/ws": Protocol.HTTP,
    "kubernetes.io/wss": Protocol.HTTPS,
}
"""Names that Kubernetes itself gives a meaning in `appProtocol`."""

_SERVER_FIRST_PORTS = frozenset({25, 53, 3306, 27017})
"""SMTP, DNS, MySQL, MongoDB: the server speaks first, so that waiting for the client's first bytes would hang."""


def service_protocol(text: str) -> Protocol:
    """What a port of a service speaks, by a name in any case; UNSUPPORTED (look at the bytes) when it is none."""
    protocol = declared_protocol(text)
    return Protocol.HTTP if protocol is Protocol.HTTP_PROXY else protocol


def kubernetes_protocol(port: int, name: str, transport: str, app_protocol: str | None) -> Protocol:
    """What a port of a Kubernetes Service speaks.

    UDP stays UDP. `appProtocol` decides over the name; of a name, what is before the first hyphen counts (`grpc-web` as
    a whole). Undeclared ports are looked into, except for those of well-known server-first protocols.
    """
    if transport == "UDP":
        return Protocol.UDP
    if transport == "SCTP":
        return Protocol.TCP
    if app_protocol in _STANDARD:
        return _STANDARD[app_protocol]
    declared = app_protocol or name
    if declared[:8].lower() == "grpc-web":
        return Protocol.GRPC_WEB
    protocol = service_protocol(declared.partition("-")[0])
    if protocol is Protocol.UDP:
        return Protocol.TCP
    if protocol is Protocol.UNSUPPORTED and port in _SERVER_FIRST_PORTS:
        return Protocol.TCP
    return protocol

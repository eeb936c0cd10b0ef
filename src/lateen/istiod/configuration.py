"""What a control plane is to be: everything that the command line says, as values."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec

from lateen.settings import IstiodSettings


class ConfigurationError(ValueError):
    """What is asked for cannot be; the message says what and why."""


class Address(msgspec.Struct, frozen=True):
    """Where to listen."""

    host: str
    """`::` is every address, of both families."""
    port: int
    """0 takes a free one."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """`HOST:PORT`, `[IPV6]:PORT`, or `:PORT` for all addresses. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"expected HOST:PORT, got {text!r}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"expected an IPv6 address in brackets, got {text!r}")
    return Address(host or _everywhere(), int(port))


def _everywhere() -> str:
    """Kernels may be without IPv6."""
    return "::" if socket.has_dualstack_ipv6() else "0.0.0.0"


class Certificates(msgspec.Struct, frozen=True):
    """Files that the TLS listener serves with (PEM). They are followed as they change."""

    certificate: Path
    key: Path
    roots: Path | None
    """What client certificates are verified against; None: clients prove nothing by them."""


class Cluster(msgspec.Struct, frozen=True):
    """The Kubernetes cluster that is read."""

    kubeconfig: Path | None
    """None: the service account of the Pod we run in."""
    context: str = ""


class Configuration(msgspec.Struct, frozen=True):
    settings: IstiodSettings
    directories: tuple[Path, ...]
    """Files and directories of manifests."""
    cluster: Cluster | None
    mesh_config: Path | None
    mesh_networks: Path | None
    xds: Address | None
    """Plaintext ADS; None: there is none."""
    secure_xds: Address
    """ADS and certificates over TLS, where there is something to serve them with."""
    certificates: Certificates | None
    issues: bool
    """Issues certificates to the mesh's workloads, and answers the API server's webhooks."""
    webhooks: Address
    """Injection and validation, where it issues certificates."""
    http: Address
    """Readiness and debugging."""
    monitoring: Address
    """Version, metrics and debugging."""
    ready_file: Path | None
    """Written once everything serves: the addresses as JSON."""
    stream_age: float | None = None
    """Seconds after which a proxy's stream is ended, so that replicas share proxies evenly; None: never."""
    json_logs: bool = False
    """As the log lines of this process are."""

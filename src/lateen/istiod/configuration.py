"""What a control plane is to be: everything that the command line says, as values."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lateen.settings import IstiodSettings


class Address(msgspec.Struct, frozen=True):
    """Where to listen."""

    host: str
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
    return Address(host or "0.0.0.0", int(port))


class Certificates(msgspec.Struct, frozen=True):
    """Files for the TLS listener (PEM)."""

    certificate: Path
    key: Path
    roots: Path | None
    """What client certificates are verified against; None: clients prove nothing."""


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
    xds: Address
    """Plaintext ADS."""
    secure_xds: Address
    """ADS over TLS, where there are certificates."""
    certificates: Certificates | None
    http: Address
    """Readiness and debugging."""
    monitoring: Address
    """Version and debugging, later metrics."""
    ready_file: Path | None
    """Written once everything serves: the addresses as JSON."""

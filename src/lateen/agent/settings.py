"""All that an agent is told at its start, as values: read once by `command`, passed on to the agent as JSON."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

__all__ = ["AgentSettings", "CertificateSettings", "DrainSettings", "KeyKind", "LogSettings"]


class KeyKind(NamedTuple):
    """What kind of private key a proxy makes for itself."""

    algorithm: str = "ECDSA"
    """ECDSA or RSA."""
    curve: str = "P256"
    """Of ECDSA: P256, P384 or P521."""
    bits: int = 2048
    """Of RSA."""
    pkcs8: bool = True
    """The form of its PEM; otherwise that of its algorithm."""


class CertificateSettings(NamedTuple):
    """Where certificates come from and where they go. Paths are absolute."""

    source: str = "authority"
    """`authority` (asked for one), `files` (mounted; they are watched), or `none` (the proxy has no identity)."""
    address: str = "istiod.istio-system.svc:15012"
    """Of the authority, HOST:PORT; IPv6 addresses in brackets."""
    server_name: str = "istiod.istio-system.svc"
    """What the authority's certificate has to be of."""
    token: str = "/var/run/secrets/tokens/istio-token"
    """File with the token that proves who this is; read each time."""
    roots: str = "/var/run/secrets/istio/root-cert.pem"
    """File with the mesh's roots; watched."""
    directory: str = "/etc/istio/proxy/sds"
    """Where Envoy finds `default.yaml` and `rootca.yaml`."""
    answered_roots: str = "/etc/istio/proxy/answered-roots.pem"
    """File that keeps the roots of the authority's last answer."""
    extra_roots: str = ""
    """More roots, PEM: `caCertificatesPem`."""
    mounted: str = "/var/run/secrets/workload-spiffe-credentials"
    """With `files`: directory of `cert-chain.pem`, `key.pem` and `root-cert.pem`."""
    output: str = ""
    """Directory that gets `cert-chain.pem`, `key.pem` and `root-cert.pem` besides (OUTPUT_CERTS); empty: none."""
    output_mode: int = 0o600
    """Of the key there. In a pod all containers that have the directory may read it, whoever their user is."""
    cluster: str = "Kubernetes"
    """Whose token it is."""
    lifetime: float = 86_400.0
    """Asked for, in seconds."""
    grace_ratio: float = 0.5
    """Renewed when so much of its life is left."""
    grace_jitter: float = 0.01
    """More or less than that, by chance."""
    root_jitter: float = 30.0
    """A change of the roots is followed by a renewal within so many seconds."""
    key: KeyKind = KeyKind()


class DrainSettings(NamedTuple):
    """How a proxy ends. Seconds."""

    inbound_only: bool = True
    """Sidecars go on serving what their application still asks for."""
    duration: float = 5.0
    """How long it drains, `terminationDrainDuration`."""
    on_zero_connections: bool = False
    """Ends as soon as nobody is connected, and then waits for that however long it takes."""
    minimum: float = 5.0
    """With `on_zero_connections`: drains so long at least."""
    stop: float = 5.0
    """How long Envoy may take to end before it is killed."""


class LogSettings(NamedTuple):
    """What is logged, and how."""

    level: str = "info"
    """none, error, warn, info or debug."""
    as_json: bool = False


class AgentSettings(NamedTuple):
    """Everything."""

    role: str
    """sidecar, router or waypoint."""
    node_id: str
    admin: tuple[str, int]
    """Host and port of Envoy's admin interface."""
    status_port: int
    """Of the agent's own server, 15020."""
    listen: str
    """Where that listens: `0.0.0.0`, `::`, or `::` with IPv4 where `dual_stack` is."""
    dual_stack: bool
    addresses: tuple[str, ...]
    """Of the pod."""
    envoy: tuple[str, ...]
    """Envoy's command line; empty where there is none."""
    compress_metrics: bool
    """For scrapers that take it."""
    directory: str
    """Where the agent keeps what a later agent of this pod is to know."""
    certificates: CertificateSettings
    drain: DrainSettings
    log: LogSettings
    health_port: int = 0
    """Where the kubelet asks, 15021, if the agent has to listen there itself; 0: Envoy does."""

    @property
    def has_envoy(self) -> bool:
        """Otherwise the application is its own proxy."""
        return not self.health_port

    def to_json(self) -> str:
        return json.dumps(_plain(self))

    @classmethod
    def from_json(cls, text: str) -> AgentSettings:
        """The reverse of `to_json`."""
        found = json.loads(text)
        certificates = found["certificates"]
        key = KeyKind(**certificates.pop("key"))
        return cls(
            **{
                **found,
                "admin": (found["admin"][0], found["admin"][1]),
                "addresses": tuple(found["addresses"]),
                "envoy": tuple(found["envoy"]),
                "certificates": CertificateSettings(**certificates, key=key),
                "drain": DrainSettings(**found["drain"]),
                "log": LogSettings(**found["log"]),
            }
        )


def _plain(value: Any) -> Any:
    """Named tuples as objects: JSON knows them only as lists."""
    if hasattr(value, "_asdict"):
        return {name: _plain(inner) for name, inner in value._asdict().items()}
    return value

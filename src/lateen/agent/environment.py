"""What an agent's environment says: Istio's variables, each honoured, or refused by name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lateen.agent.host_port import split
from lateen.agent.proxy_config import BadProxyConfig, ProxyConfig, duration
from lateen.agent.settings import CertificateSettings, DrainSettings, KeyKind
from lateen.agent.variables import BadEnvironment, flag, number

__all__ = [
    "certificate_settings", "drain_settings", "proxyless", "refuse", "refuse_proxyless", "server_name",
    "without_effect",
]  # fmt: skip

_ONLY: Final = {
    "PILOT_CERT_PROVIDER": ("istiod",),
    "CA_PROVIDER": ("Citadel",),
    "JWT_POLICY": ("third-party-jwt",),
    "CREDENTIAL_FETCHER_TYPE": ("JWT",),
    "XDS_AUTH_PROVIDER": (),
    "PROV_CERT": (),
    "ISTIO_META_CERT_SIGNER": (),
    "PROXY_CONFIG_XDS_AGENT": ("false",),
    "PEER_METADATA_DISCOVERY": ("false",),
    "ISTIO_ENVOY_ENABLE_CORE_DUMP": ("false",),
    "XDS_ROOT_CA": (),
    "COMPLIANCE_POLICY": (),
}
"""Variables of Istio's agent of which this one knows only these values, or none."""
_WITHOUT_EFFECT: Final = {
    "FILE_DEBOUNCE_DURATION": "mounted files are looked at every second",
    "DNS_PROXY_ADDR": "Envoy answers DNS, where the control plane tells it to",
    "DNS_FORWARD_PARALLEL": "Envoy answers DNS",
    "WASM_INSECURE_REGISTRIES": "Envoy fetches modules",
    "WASM_MODULE_EXPIRY": "Envoy fetches modules",
    "WASM_PURGE_INTERVAL": "Envoy fetches modules",
    "WASM_HTTP_REQUEST_TIMEOUT": "Envoy fetches modules",
    "WASM_HTTP_REQUEST_MAX_RETRIES": "Envoy fetches modules",
    "WORKLOAD_IDENTITY_SOCKET_FILE": "identities by an SDS socket are not supported yet by this version",
    "CREDENTIAL_IDENTITY_PROVIDER": "tokens are Kubernetes' own",
    "ENABLE_PROBE_KEEPALIVE_CONNECTIONS": "each probe of the application has a connection of its own",
    "ISTIO_ENABLE_HTTP2_PROBING": "the application is asked by HTTP/1.1",
    "PROXY_READINESS_PROBE_TIMEOUT": "the agent asks Envoy for 3 s at the most",
}
_OF_ENVOY: Final = ("ISTIO_BOOTSTRAP_OVERRIDE", "EXIT_ON_ZERO_ACTIVE_CONNECTIONS", "ENVOY_PROMETHEUS_PORT")
_ROOTS: Final = "./var/run/secrets/istio/root-cert.pem"
_TOKEN: Final = "./var/run/secrets/tokens/istio-token"
_CURVES: Final = ("P256", "P384", "P521")


def refuse(environment: Mapping[str, str]) -> None:
    """Raises BadEnvironment for what would be ignored otherwise."""
    for name, known in _ONLY.items():
        value = environment.get(name, "")
        if value and value not in known:
            expected = f"; {' or '.join(known)} is" if known else ""
            raise BadEnvironment(f"{name}={value} is not supported yet by this version{expected}")
    if environment.get("CA_ROOT_CA") == "SYSTEM":
        raise BadEnvironment("CA_ROOT_CA=SYSTEM is not supported yet by this version; the name of a file is")


def without_effect(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Variables of Istio's agent that are set and do nothing here, in words for people."""
    reasons = dict(_WITHOUT_EFFECT)
    if proxyless(environment):
        reasons |= dict.fromkeys(_OF_ENVOY, "there is no Envoy (DISABLE_ENVOY)")
    else:
        reasons["GRPC_XDS_BOOTSTRAP"] = "gRPC has a bootstrap of its own only without Envoy (DISABLE_ENVOY)"
    return tuple(f"{name} has no effect: {why}" for name, why in reasons.items() if environment.get(name))


def proxyless(environment: Mapping[str, str]) -> bool:
    """Whether there is no Envoy: the application is its own proxy. Raises BadEnvironment."""
    return flag(environment, "DISABLE_ENVOY", False)


def refuse_proxyless(environment: Mapping[str, str], role: str, host: str, name: str, certificates: bool) -> None:
    """Raises BadEnvironment for what an application without an Envoy cannot have. `host` is the control plane's,
    `name` what its certificate has to be of; `certificates` whether there are any."""
    if role != "sidecar":
        raise BadEnvironment(f"DISABLE_ENVOY=true: a {role} is nothing without Envoy; take it away")
    generator = environment.get("ISTIO_META_GENERATOR", "grpc")
    if generator != "grpc":
        raise BadEnvironment(f"ISTIO_META_GENERATOR: with DISABLE_ENVOY=true it has to be grpc, not {generator!r}")
    if not certificates:
        return
    if not environment.get("OUTPUT_CERTS"):
        raise BadEnvironment("DISABLE_ENVOY=true needs OUTPUT_CERTS, a directory that the application reads, too")
    if host != name:
        raise BadEnvironment(
            f"DISABLE_ENVOY=true: gRPC expects a certificate of the host in discoveryAddress, {host}, but the control "
            f"plane's is of {name}; use that there"
        )


def certificate_settings(
    environment: Mapping[str, str], config: ProxyConfig, directory: str, root: str, mounted: str
) -> CertificateSettings:
    """`directory` is the proxy's own, relative paths start from `root`, mounted certificates are in `mounted`, if not
    empty. Raises BadEnvironment."""

    def path(text: str) -> str:
        return text if text.startswith("/") else f"{root.rstrip('/')}/{text.removeprefix('./')}"

    address = environment.get("CA_ADDR") or config.discovery_address
    try:
        host, _ = split(address)
    except ValueError as problem:
        raise BadEnvironment(f"{'CA_ADDR' if environment.get('CA_ADDR') else 'discoveryAddress'}: {problem}") from None
    source = "files" if mounted else "authority"
    if config.control_plane_auth_policy == "NONE":
        source = "none"
    return CertificateSettings(
        source=source,
        address=address,
        server_name=environment.get("ISTIOD_SAN") or server_name(host),
        token=path(_TOKEN),
        roots=path(environment.get("CA_ROOT_CA") or _ROOTS),
        directory=f"{directory}/sds",
        answered_roots=f"{directory}/answered-roots.pem",
        extra_roots="\n".join(config.ca_certificates_pem),
        mounted=mounted,
        output=path(environment["OUTPUT_CERTS"]) if environment.get("OUTPUT_CERTS") else "",
        output_mode=0o644 if environment.get("KUBERNETES_SERVICE_HOST") else 0o600,
        cluster=environment.get("ISTIO_META_CLUSTER_ID") or "Kubernetes",
        lifetime=_seconds(environment, "SECRET_TTL", 86_400.0),
        grace_ratio=_fraction(environment, "SECRET_GRACE_PERIOD_RATIO", 0.5),
        grace_jitter=_fraction(environment, "SECRET_GRACE_PERIOD_RATIO_JITTER", 0.01),
        key=_key(environment),
    )


def server_name(host: str) -> str:
    """What the control plane's certificate has to be of; at `localhost` (a tunnel) the one that it has in a cluster."""
    return "istiod.istio-system.svc" if host == "localhost" else host


def drain_settings(environment: Mapping[str, str], config: ProxyConfig, role: str) -> DrainSettings:
    """Raises BadEnvironment."""
    return DrainSettings(
        inbound_only=role == "sidecar",
        duration=config.termination_drain_duration,
        on_zero_connections=flag(environment, "EXIT_ON_ZERO_ACTIVE_CONNECTIONS", False),
        minimum=_seconds(environment, "MINIMUM_DRAIN_DURATION", 5.0),
    )


def _key(environment: Mapping[str, str]) -> KeyKind:
    """EC on P-256, unless RSA is asked for by its size, and ECDSA is not."""
    algorithm = environment.get("ECC_SIGNATURE_ALGORITHM", "")
    if algorithm not in ("", "ECDSA"):
        raise BadEnvironment(f"ECC_SIGNATURE_ALGORITHM: {algorithm!r} is not ECDSA")
    curve = environment.get("ECC_CURVE") or "P256"
    if curve not in _CURVES:
        raise BadEnvironment(f"ECC_CURVE: {curve!r} is not one of {', '.join(_CURVES)}")
    rsa = not algorithm and bool(environment.get("WORKLOAD_RSA_KEY_SIZE"))
    bits = number(environment, "WORKLOAD_RSA_KEY_SIZE", 2048, least=2048, most=8192)
    return KeyKind("RSA" if rsa else "ECDSA", curve, bits, flag(environment, "PKCS8_KEY", False))


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, "")
    if not text:
        return default
    try:
        return duration(name, text)
    except BadProxyConfig as problem:
        raise BadEnvironment(str(problem)) from None


def _fraction(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name, "")
    try:
        found = float(text) if text else default
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise BadEnvironment(f"{name}: {text!r} is not a number from 0 to 1")
    return found

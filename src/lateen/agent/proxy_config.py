"""The ProxyConfig that a proxy is given (PROXY_CONFIG, JSON): what of it concerns an agent, and what is not done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

__all__ = ["BadProxyConfig", "ProxyConfig", "duration", "of_envoy", "parse"]


class BadProxyConfig(ValueError):
    """Says which field, what was expected, and what came."""


class ProxyConfig(NamedTuple):
    """The fields that an agent reads, with Istio's defaults. Durations in seconds."""

    config_path: str = "./etc/istio/proxy"
    binary_path: str = ""
    service_cluster: str = ""
    tracing_service_name: str = "APP_LABEL_AND_NAMESPACE"
    drain_duration: float = 45.0
    parent_shutdown_duration: float = 60.0
    termination_drain_duration: float = 5.0
    discovery_address: str = "istiod.istio-system.svc:15012"
    control_plane_auth_policy: str = "MUTUAL_TLS"
    proxy_admin_port: int = 15000
    status_port: int = 15020
    concurrency: int | None = None
    statsd_udp_address: str = ""
    proxy_metadata: Mapping[str, str] = {}
    runtime_values: Mapping[str, str] = {}
    extra_stat_tags: tuple[str, ...] = ()
    inclusion_prefixes: tuple[str, ...] = ()
    inclusion_suffixes: tuple[str, ...] = ()
    inclusion_regexps: tuple[str, ...] = ()
    mesh_id: str = ""
    interception_mode: str = ""
    ca_certificates_pem: tuple[str, ...] = ()
    file_flush_interval: float = 1.0
    file_flush_min_size_kb: int = 64
    stats_compression: bool = True


_NOT_YET: Final = "not supported yet by this version of the agent; it is left out"
_NOT_DONE: Final = {
    "zipkinAddress": _NOT_YET,
    "tracing": f"{_NOT_YET} (use the Telemetry API)",
    "envoyMetricsServiceAddress": _NOT_YET,
    "envoyMetricsService": _NOT_YET,
    "envoyAccessLogService": f"{_NOT_YET} (use the Telemetry API)",
    "privateKeyProvider": _NOT_YET,
    "readinessProbe": f"{_NOT_YET} (it is for virtual machines)",
    "availabilityZone": "has no effect; the label istio-locality has",
    "discoveryRefreshDelay": "has no effect: nothing is polled",
    "statNameLength": "has no effect: Envoy has no such limit",
    "sds": "has no effect: secrets are always by SDS",
    "customConfigFile": f"{_NOT_YET} (the annotation sidecar.istio.io/bootstrapOverride adds to the bootstrap)",
    "proxyBootstrapTemplatePath": f"{_NOT_YET} (the annotation sidecar.istio.io/bootstrapOverride adds to it)",
}
_OF_ENVOY: Final = frozenset({
    "binaryPath", "concurrency", "drainDuration", "parentShutdownDuration", "terminationDrainDuration",
    "proxyAdminPort", "statsdUdpAddress", "runtimeValues", "extraStatTags", "proxyStatsMatcher", "fileFlushInterval",
    "fileFlushMinSizeKb",
})  # fmt: skip
_OF_OTHERS: Final = frozenset({
    # The injector's, or the control plane's by the node metadata PROXY_CONFIG.
    "holdApplicationUntilProxyStarts", "image", "gatewayTopology", "proxyHeaders",
})  # fmt: skip


def parse(text: str) -> tuple[ProxyConfig, dict[str, Any], tuple[str, ...]]:
    """The values, all of it as it came, and warnings about what has no effect. Raises BadProxyConfig."""
    try:
        found = json.loads(text or "{}")
    except ValueError as problem:
        raise BadProxyConfig(f"PROXY_CONFIG is not JSON: {problem}") from None
    if not isinstance(found, dict):
        raise BadProxyConfig("PROXY_CONFIG is not an object")
    values: dict[str, Any] = {}
    warnings = []
    for name, value in found.items():
        if value is None or name in _OF_OTHERS:
            continue
        if name in _NOT_DONE:
            warnings.append(f"PROXY_CONFIG.{name}: {_NOT_DONE[name]}")
        elif name == "proxyStatsMatcher":
            values |= _stats_matcher(value)
        elif name in _FIELDS:
            field, read = _FIELDS[name]
            values[field] = read(f"PROXY_CONFIG.{name}", value)
        else:
            raise BadProxyConfig(f"PROXY_CONFIG.{name}: there is no such field")
    return ProxyConfig(**values), found, tuple(warnings)


def of_envoy(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that are there and do nothing where there is no Envoy."""
    return tuple(f"PROXY_CONFIG.{name}" for name in sorted(_OF_ENVOY & given.keys()))


_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_LONGEST: Final = 100
"""Characters of a duration."""
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(where: str, value: Any) -> float:
    """Seconds of `45s`, `1m30s`, `1.5h`. Raises BadProxyConfig."""
    if isinstance(value, str) and len(value) <= _LONGEST and (value == "0" or (value and not _PART.sub("", value))):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    raise BadProxyConfig(f"{where}: {value!r} is not a duration, such as 45s or 1m30s")


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadProxyConfig(f"{where}: {value!r} is not a text")
    return value


def _one_of(*allowed: str) -> Callable[[str, Any], str]:
    def read(where: str, value: Any) -> str:
        if value not in allowed:
            raise BadProxyConfig(f"{where}: {value!r} is not one of {', '.join(allowed)}")
        return str(value)

    return read


def _number(least: int, most: int) -> Callable[[str, Any], int]:
    def read(where: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise BadProxyConfig(f"{where}: {value!r} is not a number from {least} to {most}")
        return value

    return read


def _boolean(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadProxyConfig(f"{where}: {value!r} is not true or false")
    return value


def _texts(where: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise BadProxyConfig(f"{where}: {value!r} is not a list")
    return tuple(_text(f"{where}[{number}]", each) for number, each in enumerate(value))


def _map(where: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BadProxyConfig(f"{where}: {value!r} is not an object")
    return {name: _text(f"{where}.{name}", each) for name, each in value.items()}


def _stats_matcher(value: Any) -> dict[str, tuple[str, ...]]:
    where = "PROXY_CONFIG.proxyStatsMatcher"
    if not isinstance(value, dict):
        raise BadProxyConfig(f"{where}: {value!r} is not an object")
    names = {
        "inclusionPrefixes": "inclusion_prefixes",
        "inclusionSuffixes": "inclusion_suffixes",
        "inclusionRegexps": "inclusion_regexps",
    }
    if unknown := value.keys() - names:
        raise BadProxyConfig(f"{where}.{min(unknown)}: there is no such field")
    return {names[name]: _texts(f"{where}.{name}", each) for name, each in value.items()}


_PORT = _number(1, 65_535)
_FIELDS: Final[dict[str, tuple[str, Callable[[str, Any], Any]]]] = {
    "configPath": ("config_path", _text),
    "binaryPath": ("binary_path", _text),
    "serviceCluster": ("service_cluster", _text),
    "tracingServiceName": (
        "tracing_service_name",
        _one_of("APP_LABEL_AND_NAMESPACE", "CANONICAL_NAME_ONLY", "CANONICAL_NAME_AND_NAMESPACE"),
    ),
    "drainDuration": ("drain_duration", duration),
    "parentShutdownDuration": ("parent_shutdown_duration", duration),
    "terminationDrainDuration": ("termination_drain_duration", duration),
    "discoveryAddress": ("discovery_address", _text),
    "controlPlaneAuthPolicy": ("control_plane_auth_policy", _one_of("NONE", "MUTUAL_TLS")),
    "proxyAdminPort": ("proxy_admin_port", _PORT),
    "statusPort": ("status_port", _PORT),
    "concurrency": ("concurrency", _number(0, 1024)),
    "statsdUdpAddress": ("statsd_udp_address", _text),
    "proxyMetadata": ("proxy_metadata", _map),
    "runtimeValues": ("runtime_values", _map),
    "extraStatTags": ("extra_stat_tags", _texts),
    "meshId": ("mesh_id", _text),
    "interceptionMode": ("interception_mode", _one_of("REDIRECT", "TPROXY", "NONE")),
    "caCertificatesPem": ("ca_certificates_pem", _texts),
    "fileFlushInterval": ("file_flush_interval", duration),
    "statsCompression": ("stats_compression", _boolean),
    "fileFlushMinSizeKb": ("file_flush_min_size_kb", _number(0, 1 << 20)),
}

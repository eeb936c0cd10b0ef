"""The fields of MeshConfig and ProxyConfig that this version takes but does nothing with: each is told of when it is
set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from lateen.api.mesh.mesh_config import MeshConfig
from lateen.api.mesh.proxy_config import ProxyConfig
from lateen.api.schema.fault import Fault, warning

_MESH: Final = (
    "ingress_class",
    "ingress_service",
    "ingress_controller_mode",
    "ingress_selector",
    "enable_tracing",
    "enable_envoy_access_log_service",
    "config_sources",
    "ca_certificates",
    "certificates",
    "service_scope_configs",
    "verify_certificate_at_client",
    "ca",
    "extension_providers",
)
_DEFAULT_PROVIDERS: Final = ("tracing", "access_logging")
_PROXY: Final = (
    "discovery_refresh_delay",
    "zipkin_address",
    "envoy_metrics_service_address",
    "availability_zone",
    "custom_config_file",
    "stat_name_length",
    "proxy_bootstrap_template_path",
    "tracing",
    "sds",
    "envoy_access_log_service",
    "envoy_metrics_service",
    "readiness_probe",
    "private_key_provider",
)
"""Of the proxies' defaults: what neither injection, nor agents, nor the control plane does."""
_HEADERS: Final = ("metadata_exchange_headers",)


def not_honoured(config: MeshConfig) -> Iterator[Fault]:
    """One warning for each such field that differs from its default."""
    yield from _differing(config, _MESH, "")
    yield from not_honoured_of_proxy(config.default_config, "defaultConfig")
    yield from _differing(config.default_providers, _DEFAULT_PROVIDERS, "defaultProviders.")
    yield from _other_metrics(config)


def not_honoured_of_proxy(config: ProxyConfig, path: str) -> Iterator[Fault]:
    """The same of a ProxyConfig at `path`."""
    yield from _differing(config, _PROXY, f"{path}.")
    if config.proxy_headers is not None:
        yield from _differing(config.proxy_headers, _HEADERS, f"{path}.proxyHeaders.")


def _other_metrics(config: MeshConfig) -> Iterator[Fault]:
    """Metrics are for Prometheus to scrape; other providers of them get none."""
    scraped = {provider.name for provider in config.extension_providers if provider.prometheus is not None}
    for index, name in enumerate(config.default_providers.metrics):
        if name not in scraped:
            yield warning(f"defaultProviders.metrics[{index}]", f"no metrics are sent to {name!r}: not supported yet")


def _differing(value: msgspec.Struct, names: tuple[str, ...], path: str) -> Iterator[Fault]:
    for field in msgspec.structs.fields(type(value)):
        if field.name in names and getattr(value, field.name) != _default(field):
            yield warning(f"{path}{field.encode_name}", "not supported yet by this version: it has no effect")


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default

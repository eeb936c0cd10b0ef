"""The fields of MeshConfig that this version takes but does nothing with: each is told of when it is set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from lateen.api.mesh.mesh_config import MeshConfig
from lateen.api.schema.fault import Fault, warning

_MESH: Final = (
    "ingress_class",
    "ingress_service",
    "ingress_controller_mode",
    "ingress_selector",
    "enable_tracing",
    "access_log_file",
    "access_log_format",
    "access_log_encoding",
    "enable_envoy_access_log_service",
    "disable_envoy_listener_log",
    "config_sources",
    "ca_certificates",
    "certificates",
    "service_scope_configs",
    "enable_prometheus_merge",
    "verify_certificate_at_client",
    "ca",
    "extension_providers",
    "default_providers",
)
_PROXY_HONOURED: Final = ("gateway_topology", "proxy_headers")
"""Of the proxies' defaults: what the control plane itself reads. The rest is for agents, which a later version has."""
_HEADERS: Final = ("metadata_exchange_headers",)


def not_honoured(config: MeshConfig) -> Iterator[Fault]:
    """One warning for each such field that differs from its default."""
    yield from _differing(config, _MESH, "")
    proxy = tuple(name for name in config.default_config.__struct_fields__ if name not in _PROXY_HONOURED)
    yield from _differing(config.default_config, proxy, "defaultConfig.")
    if config.default_config.proxy_headers is not None:
        yield from _differing(config.default_config.proxy_headers, _HEADERS, "defaultConfig.proxyHeaders.")


def _differing(value: msgspec.Struct, names: tuple[str, ...], path: str) -> Iterator[Fault]:
    for field in msgspec.structs.fields(type(value)):
        if field.name in names and getattr(value, field.name) != _default(field):
            yield warning(f"{path}{field.encode_name}", "not supported yet by this version: it has no effect")


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default

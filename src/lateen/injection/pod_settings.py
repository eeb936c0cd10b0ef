"""What a pod's annotations say about its proxy, over the installation's values. Whether they make sense is judged
before (`annotation_checks`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

import msgspec

from lateen.api.mesh.proxy_config import InboundInterceptionMode, ProxyConfig
from lateen.injection.texts import parse_bool
from lateen.injection.values import Values

_SIDECAR: Final = "sidecar.istio.io/"
_TRAFFIC: Final = "traffic.sidecar.istio.io/"
_READINESS: Final = "readiness.status.sidecar.istio.io/"


class ImageType(Enum):
    """A variant of the proxy's image."""

    DEFAULT = "default"
    DEBUG = "debug"
    DISTROLESS = "distroless"


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds and counts of the proxy's readiness probe."""

    initial_delay: int
    period: int
    failure_threshold: int


class PodSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All in force: an annotation, else the installation's value."""

    interception: InboundInterceptionMode
    include_ip_ranges: str
    exclude_ip_ranges: str
    include_inbound_ports: str
    exclude_inbound_ports: str
    include_outbound_ports: str
    exclude_outbound_ports: str
    virtual_interfaces: str
    exclude_interfaces: str
    status_port: int
    """0: the proxy has no readiness probe."""
    readiness: Readiness
    resources: Mapping[str, Any]
    """Of the proxy's containers."""
    image: str
    """A name or a whole reference; empty: the installation's."""
    image_type: str
    log_level: str
    component_log_level: str
    agent_log_level: str
    bootstrap_override: str
    """A ConfigMap with pieces of Envoy's bootstrap; empty: none."""
    volumes: Mapping[str, Any]
    """Further volumes by name."""
    volume_mounts: Mapping[str, Any]
    """Further mounts of the proxy, by name of the volume."""
    rewrite_probes: bool
    core_dump: bool
    bind_low_ports: bool
    native: bool | None
    """None: as the control plane has it."""
    before_proxy: tuple[str, ...]
    """Init containers that run before the proxy starts."""
    merge_metrics: bool | None
    """None: as MeshConfig has it."""
    discovery_address: str
    """Empty: as ProxyConfig has it."""
    control_plane_auth: str
    """Empty: as ProxyConfig has it."""


def pod_settings(annotations: Mapping[str, str], proxy: ProxyConfig, values: Values) -> PodSettings:
    """Of annotations in which `wrong_annotations` finds no error."""
    given = values.global_.proxy

    def text(name: str, otherwise: str) -> str:
        return annotations.get(name, otherwise)

    def number(name: str, otherwise: int) -> int:
        return int(annotations[name]) if name in annotations else otherwise

    def flag(name: str) -> bool | None:
        return parse_bool(annotations[name]) if name in annotations else None

    def either(found: bool | None, otherwise: bool) -> bool:
        return otherwise if found is None else found

    mode = annotations.get(f"{_SIDECAR}interceptionMode")
    return PodSettings(
        interception=InboundInterceptionMode(mode) if mode else proxy.interception_mode,
        include_ip_ranges=text(f"{_TRAFFIC}includeOutboundIPRanges", given.include_ip_ranges),
        exclude_ip_ranges=text(f"{_TRAFFIC}excludeOutboundIPRanges", given.exclude_ip_ranges),
        include_inbound_ports=text(f"{_TRAFFIC}includeInboundPorts", given.include_inbound_ports),
        exclude_inbound_ports=text(f"{_TRAFFIC}excludeInboundPorts", given.exclude_inbound_ports),
        include_outbound_ports=text(f"{_TRAFFIC}includeOutboundPorts", given.include_outbound_ports),
        exclude_outbound_ports=text(f"{_TRAFFIC}excludeOutboundPorts", given.exclude_outbound_ports),
        virtual_interfaces=text("istio.io/reroute-virtual-interfaces", text(f"{_TRAFFIC}kubevirtInterfaces", "")),
        exclude_interfaces=text(f"{_TRAFFIC}excludeInterfaces", ""),
        status_port=number("status.sidecar.istio.io/port", given.status_port and proxy.status_port),
        readiness=Readiness(
            initial_delay=number(f"{_READINESS}initialDelaySeconds", given.readiness_initial_delay_seconds),
            period=number(f"{_READINESS}periodSeconds", given.readiness_period_seconds),
            failure_threshold=number(f"{_READINESS}failureThreshold", given.readiness_failure_threshold),
        ),
        resources=_resources(annotations) or given.resources,
        image=text(f"{_SIDECAR}proxyImage", ""),
        image_type=text(f"{_SIDECAR}proxyImageType", proxy.image.image_type if proxy.image is not None else ""),
        log_level=text(f"{_SIDECAR}logLevel", given.log_level),
        component_log_level=text(f"{_SIDECAR}componentLogLevel", given.component_log_level),
        agent_log_level=text(f"{_SIDECAR}agentLogLevel", values.global_.logging.level),
        bootstrap_override=text(f"{_SIDECAR}bootstrapOverride", ""),
        volumes=_volumes(annotations.get(f"{_SIDECAR}userVolume")),
        volume_mounts=_volumes(annotations.get(f"{_SIDECAR}userVolumeMount")),
        rewrite_probes=either(
            flag(f"{_SIDECAR}rewriteAppHTTPProbers"), values.sidecar_injector_webhook.rewrite_app_http_probe
        ),
        core_dump=given.enable_core_dump,
        bind_low_ports=either(flag(f"{_SIDECAR}capNetBindService"), given.cap_net_bind_service),
        native=flag(f"{_SIDECAR}nativeSidecar"),
        before_proxy=tuple(
            filter(None, map(str.strip, text(f"{_SIDECAR}init-containers-before-proxy", "").split(",")))
        ),
        merge_metrics=flag("prometheus.istio.io/merge-metrics"),
        discovery_address=text(f"{_SIDECAR}discoveryAddress", ""),
        control_plane_auth=text(f"{_SIDECAR}controlPlaneAuthPolicy", ""),
    )


def _resources(annotations: Mapping[str, str]) -> dict[str, Any]:
    """One annotation is enough for the installation's resources not to count at all, as in Istio."""
    found: dict[str, Any] = {}
    for group, names in (
        ("requests", {"cpu": "proxyCPU", "memory": "proxyMemory"}),
        ("limits", {"cpu": "proxyCPULimit", "memory": "proxyMemoryLimit"}),
    ):
        given = {
            resource: annotations[f"{_SIDECAR}{name}"]
            for resource, name in names.items()
            if f"{_SIDECAR}{name}" in annotations
        }
        if given:
            found[group] = given
    return found


def _volumes(text: str | None) -> dict[str, Any]:
    """By name: Istio takes an object, and a list whose items have names."""
    found = json.loads(text) if text else {}
    if isinstance(found, list):
        return {each["name"]: {key: value for key, value in each.items() if key != "name"} for each in found}
    return dict(found)

"""What templates add to a pod beside their containers: labels, annotations, pull secrets, the group of its files."""

from __future__ import annotations

import json
from typing import Any

from lateen.injection.capture_container import excluded_inbound_ports
from lateen.injection.context import Context
from lateen.injection.names import (
    CANONICAL_NAME,
    CANONICAL_REVISION,
    DEFAULT_CONTAINER,
    DEFAULT_LOGS_CONTAINER,
)
from lateen.injection.values import CniProvider

_NETWORKS = "k8s.v1.cni.cncf.io/networks"


def canonical_labels(context: Context) -> dict[str, str]:
    """The service that the pod is an instance of, for telemetry."""
    labels = context.labels
    name = labels.get(CANONICAL_NAME) or labels.get("app.kubernetes.io/name") or labels.get("app")
    revision = labels.get(CANONICAL_REVISION) or labels.get("app.kubernetes.io/version") or labels.get("version")
    return {
        CANONICAL_NAME: (name or context.workload.name)[:63].rstrip("-_."),
        CANONICAL_REVISION: revision or "latest",
    }


def default_container(context: Context) -> dict[str, str]:
    """The container that kubectl means where users name none: the application's first."""
    if not context.app_containers:
        return {}
    first = str(context.app_containers[0].get("name", ""))
    return {name: context.annotations.get(name, first) for name in (DEFAULT_CONTAINER, DEFAULT_LOGS_CONTAINER)}


def capture_annotations(context: Context) -> dict[str, str]:
    """What a CNI plugin reads, which sees the pod and not the installation's values."""
    cni, settings = context.values.cni, context.settings
    if not cni.enabled:
        return {}
    found = {
        "sidecar.istio.io/interceptionMode": settings.interception.value,
        "traffic.sidecar.istio.io/includeOutboundIPRanges": settings.include_ip_ranges,
        "traffic.sidecar.istio.io/excludeOutboundIPRanges": settings.exclude_ip_ranges,
        "traffic.sidecar.istio.io/includeInboundPorts": settings.include_inbound_ports,
        "traffic.sidecar.istio.io/excludeInboundPorts": excluded_inbound_ports(context),
        "traffic.sidecar.istio.io/includeOutboundPorts": settings.include_outbound_ports,
        "traffic.sidecar.istio.io/excludeOutboundPorts": settings.exclude_outbound_ports,
        "traffic.sidecar.istio.io/excludeInterfaces": settings.exclude_interfaces,
        "istio.io/reroute-virtual-interfaces": settings.virtual_interfaces,
    }
    found = {name: text for name, text in found.items() if text}
    if cni.provider is CniProvider.MULTUS or not cni.chained:
        found[_NETWORKS] = _with_network(context.annotations.get(_NETWORKS, ""))
    return found


def pull_secrets(context: Context) -> dict[str, Any]:
    names = context.values.global_.image_pull_secrets
    return {"imagePullSecrets": [{"name": name} for name in names]} if names else {}


def group_of_files(context: Context) -> dict[str, Any]:
    """For kubelets older than 1.19, whose projected tokens only root could read."""
    wanted = context.values.pilot.env.get("ENABLE_LEGACY_FSGROUP_INJECTION") == "true"
    return {"securityContext": {"fsGroup": context.group}} if wanted else {}


def _with_network(text: str) -> str:
    """Multus' annotation, words or JSON, with the plugin's network."""
    namespace, name = "default", "istio-cni"
    if text.lstrip().startswith("["):
        try:
            listed = json.loads(text)
        except ValueError:
            return text
        known = any(isinstance(each, dict) and each.get("name") == name for each in listed)
        return text if known else json.dumps([*listed, {"name": name, "namespace": namespace}])
    words = [word.strip() for word in text.split(",") if word.strip()]
    return ", ".join(dict.fromkeys([*words, f"{namespace}/{name}"]))

"""The environment of the proxy's container: what the agent reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from lateen.api.mesh.mesh_config import InboundTrafficPolicyMode
from lateen.api.mesh.proxy_config import ProxyConfig
from lateen.api.schema.encode import encode
from lateen.injection.context import Context
from lateen.injection.names import NETWORK
from lateen.injection.values import Values
from lateen.model.revision import of_revision

Variable = dict[str, Any]

_FIELDS = (
    ("POD_NAME", "metadata.name"),
    ("POD_NAMESPACE", "metadata.namespace"),
    ("INSTANCE_IP", "status.podIP"),
    ("SERVICE_ACCOUNT", "spec.serviceAccountName"),
    ("HOST_IP", "status.hostIP"),
)


def authority_address(values: Values) -> str:
    """`host:port` of who signs certificates."""
    if values.global_.ca_address:
        return values.global_.ca_address
    return f"{control_plane_host(values)}:15012"


def control_plane_host(values: Values) -> str:
    """The Service of the installation's control plane."""
    return f"{of_revision('istiod', values.revision)}.{values.global_.istio_namespace}.svc"


def agent_environment(context: Context) -> list[Variable]:
    """In Istio's order. The proxy's metadata (ProxyConfig.proxyMetadata) comes last and may override."""
    values = context.values.global_
    variables = [
        _text("PILOT_CERT_PROVIDER", values.pilot_cert_provider),
        _text("CA_ADDR", authority_address(context.values)),
        *(_field(name, path) for name, path in _FIELDS),
        # Whole CPUs, rounded up: from it the agent takes how many threads Envoy has.
        {"name": "ISTIO_CPU_LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        _text("PROXY_CONFIG", json.dumps(encode(_own(context)), separators=(",", ":"))),
        _text("ISTIO_META_POD_PORTS", json.dumps(_ports(context), separators=(",", ":"))),
        _text("ISTIO_META_APP_CONTAINERS", ",".join(str(each.get("name", "")) for each in context.app_containers)),
        _text("ISTIO_META_CLUSTER_ID", context.cluster or values.multi_cluster.cluster_name or "Kubernetes"),
        _field("ISTIO_META_NODE_NAME", "spec.nodeName"),
        _text("ISTIO_META_INTERCEPTION_MODE", context.settings.interception.value),
    ]
    network = context.network or context.labels.get(NETWORK) or values.network
    if network:
        variables.append(_text("ISTIO_META_NETWORK", network))
    if context.workload.name:
        variables += [
            _text("ISTIO_META_WORKLOAD_NAME", context.workload.name),
            _text("ISTIO_META_OWNER", context.workload.owner),
        ]
    if context.settings.bootstrap_override:
        variables.append(_text("ISTIO_BOOTSTRAP_OVERRIDE", "/etc/istio/custom-bootstrap/custom_bootstrap.json"))
    variables += [
        _text("ISTIO_META_MESH_ID", values.mesh_id or context.proxy.mesh_id or context.mesh.trust_domain),
        _text("TRUST_DOMAIN", context.mesh.trust_domain),
    ]
    if context.mesh.inbound_traffic_policy.mode is InboundTrafficPolicyMode.LOCALHOST:
        variables.append(_text("REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION", "true"))
    return overridden(variables, proxy_metadata(context))


def _own(context: Context) -> ProxyConfig:
    """The ProxyConfig in force without what the control plane makes something of and the pod has from the mesh: it is
    to follow the mesh when that changes. What the pod itself says is its own even where it is the same."""
    proxy, default = context.proxy, context.mesh.default_config
    return msgspec.structs.replace(
        proxy,
        gateway_topology=None if proxy.gateway_topology is default.gateway_topology else proxy.gateway_topology,
        proxy_headers=None if proxy.proxy_headers is default.proxy_headers else proxy.proxy_headers,
    )


def proxy_metadata(context: Context) -> list[Variable]:
    """ProxyConfig.proxyMetadata as variables, sorted."""
    return [_text(name, text) for name, text in sorted(context.proxy.proxy_metadata.items())]


def overridden(variables: list[Variable], others: list[Variable]) -> list[Variable]:
    """The variables and the others, of which each replaces one of its name."""
    names = {each["name"] for each in others}
    return [*(each for each in variables if each["name"] not in names), *others]


def _ports(context: Context) -> list[Mapping[str, Any]]:
    return [port for container in context.containers for port in container.get("ports") or ()]


def _text(name: str, text: str) -> Variable:
    return {"name": name, "value": text}


def _field(name: str, path: str) -> Variable:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}

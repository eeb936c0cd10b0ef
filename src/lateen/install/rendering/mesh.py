"""The texts of the ConfigMap `istio`: MeshConfig and MeshNetworks."""

from __future__ import annotations

from typing import Any

import yaml

from lateen.api.mesh.proxy_config import ProxyConfig
from lateen.install.merge import merged
from lateen.install.values.operator import Operator
from lateen.model.revision import of_revision


def discovery_address(operator: Operator) -> str:
    """Where proxies find the control plane."""
    return f"{of_revision('istiod', operator.revision)}.{operator.namespace}.svc:15012"


def mesh_config(operator: Operator) -> dict[str, Any]:
    """What values say of the mesh, and `meshConfig` over it."""
    shared = operator.values.global_
    defaults: dict[str, Any] = {"discoveryAddress": discovery_address(operator)}
    if shared.mesh_id:
        defaults["meshId"] = shared.mesh_id
    if shared.proxy.status_port not in (0, ProxyConfig().status_port):
        # 0 is about the readiness probe alone: the agent has a port all the same.
        defaults["statusPort"] = shared.proxy.status_port
    mesh: dict[str, Any] = {
        "trustDomain": "cluster.local",
        "rootNamespace": operator.namespace,
        "enablePrometheusMerge": True,
        "defaultConfig": defaults,
    }
    telemetry = operator.values.telemetry
    has_metrics = telemetry.enabled and telemetry.v2.enabled and telemetry.v2.prometheus.enabled
    mesh["defaultProviders"] = {"metrics": ["prometheus"] if has_metrics else []}
    result: dict[str, Any] = merged(mesh, operator.mesh_config)
    return result


def mesh_config_text(operator: Operator) -> str:
    return yaml.safe_dump(mesh_config(operator), sort_keys=False)


def mesh_networks_text(operator: Operator) -> str:
    return yaml.safe_dump({"networks": operator.values.global_.mesh_networks}, sort_keys=False)

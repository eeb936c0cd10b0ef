"""Deployments and the accounts of their pods, as far as the control plane's and gateways' are alike."""

from __future__ import annotations

from typing import Any

from lateen.install.values.deployment import Deployment
from lateen.install.values.global_values import Global


def service_account(metadata: dict[str, Any], values: Deployment, shared: Global) -> dict[str, Any]:
    if values.service_account_annotations:
        metadata = {**metadata, "annotations": dict(values.service_account_annotations)}
    found: dict[str, Any] = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    if shared.image_pull_secrets:
        found["imagePullSecrets"] = [{"name": name} for name in shared.image_pull_secrets]
    return found


def deployment(
    metadata: dict[str, Any], selector: dict[str, str], template: dict[str, Any], values: Deployment
) -> dict[str, Any]:
    """Replicas are the autoscaler's to say, if there is one."""
    rolling = {"maxSurge": values.rolling_max_surge, "maxUnavailable": values.rolling_max_unavailable}
    spec: dict[str, Any] = {
        "selector": {"matchLabels": dict(selector)},
        "strategy": {"rollingUpdate": rolling},
        "template": template,
    }
    if not values.autoscale_enabled:
        spec["replicas"] = values.replica_count
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def scheduling(values: Deployment, shared: Global) -> dict[str, Any]:
    """Of a pod's spec: on which nodes it may run, and what it goes before."""
    found: dict[str, Any] = {
        "priorityClassName": shared.priority_class_name,
        "nodeSelector": values.node_selector or shared.default_node_selector,
        "affinity": values.affinity,
        "tolerations": list(values.tolerations or shared.default_tolerations),
        "topologySpreadConstraints": list(values.topology_spread_constraints),
    }
    return {name: value for name, value in found.items() if value}

"""Autoscalers and disruption budgets of a Deployment."""

from __future__ import annotations

from typing import Any

from lateen.install.values.deployment import Deployment


def autoscaler(values: Deployment, metadata: dict[str, Any]) -> dict[str, Any]:
    """For the Deployment of the same name."""
    metrics = [
        {
            "type": "Resource",
            "resource": {
                "name": name,
                "target": {"type": "Utilization", "averageUtilization": aim.target_average_utilization},
            },
        }
        for name, aim in (("cpu", values.cpu), ("memory", values.memory))
        if aim.target_average_utilization is not None
    ]
    spec: dict[str, Any] = {
        "maxReplicas": values.autoscale_max,
        "minReplicas": values.autoscale_min,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"]},
        "metrics": metrics,
    }
    if values.autoscale_behavior:
        spec["behavior"] = dict(values.autoscale_behavior)
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": spec,
    }


def budget(metadata: dict[str, Any], selector: dict[str, str]) -> dict[str, Any]:
    """One of the pods stays, whatever is drained."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {"minAvailable": 1, "selector": {"matchLabels": dict(selector)}},
    }

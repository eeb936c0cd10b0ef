"""`components.X.k8s`: Kubernetes' own settings, put over a component's rendered objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lateen.install.explicit import explicit
from lateen.install.merge import merged
from lateen.install.values.operator import KubernetesSettings


def with_settings(objects: list[dict[str, Any]], settings: KubernetesSettings, container: str) -> list[dict[str, Any]]:
    """`container`: the component's own. The objects are changed."""
    found = []
    for each in objects:
        match each["kind"]:
            case "Deployment":
                _deployment(each["spec"], settings, container)
            case "Service":
                if settings.service is not None:
                    each["spec"] = merged(each["spec"], settings.service.render())
                _annotate(each["metadata"], settings.service_annotations)
            case "HorizontalPodAutoscaler":
                if settings.hpa_spec is not None:
                    each["spec"] = merged(each["spec"], explicit(settings.hpa_spec))
                if settings.replica_count is not None:
                    # As Istio: a fixed number of replicas is the least that an autoscaler leaves.
                    each["spec"]["minReplicas"] = settings.replica_count
                    each["spec"]["maxReplicas"] = max(each["spec"]["maxReplicas"], settings.replica_count)
            case "PodDisruptionBudget":
                if settings.pod_disruption_budget is not None:
                    _budget(each["spec"], settings.pod_disruption_budget)
        found.append(each)
    return found


def _deployment(spec: dict[str, Any], settings: KubernetesSettings, name: str) -> None:
    template = spec["template"]
    pod = template["spec"]
    if "replicas" in spec and settings.replica_count is not None:
        spec["replicas"] = settings.replica_count
    if settings.strategy is not None:
        spec["strategy"] = explicit(settings.strategy)
    _annotate(template["metadata"], settings.pod_annotations)
    for key, value in (
        ("affinity", settings.affinity),
        ("nodeSelector", settings.node_selector),
        ("tolerations", settings.tolerations),
        ("securityContext", settings.security_context),
        ("priorityClassName", settings.priority_class_name or None),
    ):
        if value is not None:
            pod[key] = explicit(value)
    container = next(each for each in pod["containers"] if each["name"] == name)
    if settings.resources is not None:
        container["resources"] = merged(container.get("resources", {}), settings.resources.render())
    if settings.image_pull_policy:
        container["imagePullPolicy"] = settings.image_pull_policy
    if settings.readiness_probe is not None:
        container["readinessProbe"] = explicit(settings.readiness_probe)
    container["env"] = _by_name(container.get("env", []), settings.env)
    pod["volumes"] = _by_name(pod.get("volumes", []), settings.volumes)
    container["volumeMounts"] = [*container.get("volumeMounts", []), *explicit(settings.volume_mounts)]


def _by_name(below: Sequence[Mapping[str, Any]], above: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Later ones replace those of the same name, in their places."""
    return list({each.get("name"): dict(each) for each in (*below, *above)}.values())


def _annotate(metadata: dict[str, Any], annotations: Mapping[str, str]) -> None:
    if annotations:
        metadata["annotations"] = {**metadata.get("annotations", {}), **annotations}


def _budget(spec: dict[str, Any], given: Mapping[str, Any]) -> None:
    if "maxUnavailable" in given:
        # Kubernetes takes one of the two.
        spec.pop("minAvailable", None)
    spec |= explicit(given)

"""The workload that a pod belongs to: what its users made, as far as its owners tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

_CRON_JOBS: Final = re.compile(r"(.+)-\d{8,10}")
"""Jobs that CronJobs make: the name and the minute they were scheduled for."""


class Workload(msgspec.Struct, frozen=True):
    """Of `kind: Pod` where nobody owns the pod."""

    name: str
    namespace: str
    api_version: str = "v1"
    kind: str = "Pod"

    @property
    def owner(self) -> str:
        """As Istio writes it: `kubernetes://apis/apps/v1/namespaces/shop/deployments/web`."""
        kinds = f"{self.kind.lower()}s"
        return f"kubernetes://apis/{self.api_version}/namespaces/{self.namespace or 'default'}/{kinds}/{self.name}"


def workload_of(pod: Mapping[str, Any], namespace: str) -> Workload:
    """By the controlling owner, and through ReplicaSets and Jobs to what makes those (Istio: GetDeployMetaFromPod)."""
    metadata = pod.get("metadata") or {}
    labels = metadata.get("labels") or {}
    name = str(metadata.get("name") or "")
    generated = str(metadata.get("generateName") or "")
    owner = next((each for each in metadata.get("ownerReferences") or () if each.get("controller")), None)
    if owner is None or not owner.get("name"):
        return Workload(name or generated.rstrip("-"), namespace)
    version, kind = (str(owner.get(key) or "") for key in ("apiVersion", "kind"))
    found = Workload(str(owner["name"]), namespace, version, kind)
    if found.kind == "ReplicaSet":
        return _of_replica_set(found, labels)
    if found.kind == "ReplicationController" and labels.get("deploymentconfig"):
        return msgspec.structs.replace(found, name=labels["deploymentconfig"], kind="DeploymentConfig")
    cron = _CRON_JOBS.fullmatch(found.name)
    if found.kind == "Job" and cron is not None:
        return msgspec.structs.replace(found, name=cron[1], kind="CronJob")
    return found


def _of_replica_set(found: Workload, labels: Mapping[str, str]) -> Workload:
    rollout = labels.get("rollouts-pod-template-hash")
    if rollout and found.name.endswith(f"-{rollout}"):
        return Workload(found.name[: -len(rollout) - 1], found.namespace, "argoproj.io/v1alpha1", "Rollout")
    template = labels.get("pod-template-hash")
    if template and found.name.endswith(f"-{template}"):
        return msgspec.structs.replace(found, name=found.name[: -len(template) - 1], kind="Deployment")
    return found

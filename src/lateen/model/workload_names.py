"""What telemetry calls a workload: the thing its owner manages, not the single pod."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lateen.api.kubernetes.pod import Pod

_CRON_JOB = re.compile(r"(.+)-\d{8,10}")
_REVISION = re.compile(r"(.+)-[a-z0-9]{5,10}")

CANONICAL_NAME_LABEL = "service.istio.io/canonical-name"
CANONICAL_REVISION_LABEL = "service.istio.io/canonical-revision"


def workload_name(pod: Pod) -> str:
    """The name of the Deployment, StatefulSet, CronJob... that a pod belongs to; its own when it has no owner."""
    owner = next((each for each in pod.metadata.owner_references if each.controller), None)
    if owner is None:
        return pod.metadata.name
    template = pod.metadata.labels.get("pod-template-hash", "")
    if owner.kind == "ReplicaSet" and template and owner.name.endswith(f"-{template}"):
        return owner.name.removesuffix(f"-{template}")
    pattern = {"Job": _CRON_JOB, "ReplicaSet": _REVISION if template else None}.get(owner.kind)
    matched = pattern.fullmatch(owner.name) if pattern is not None else None
    return matched[1] if matched is not None else owner.name


def canonical_name(labels: Mapping[str, str], workload: str) -> str:
    """The service that a workload says it is part of, else its own name."""
    return labels.get(CANONICAL_NAME_LABEL) or labels.get("app.kubernetes.io/name") or labels.get("app") or workload


def canonical_revision(labels: Mapping[str, str]) -> str:
    """Which version of the service a workload says it is; `latest` when it does not."""
    return (
        labels.get(CANONICAL_REVISION_LABEL)
        or labels.get("app.kubernetes.io/version")
        or labels.get("version")
        or "latest"
    )

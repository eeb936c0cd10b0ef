"""What users made of which a pod is a part."""

from __future__ import annotations

from typing import Any

import pytest

from lateen.injection.workload import Workload, workload_of


def _pod(kind: str, name: str, version: str = "apps/v1", **labels: str) -> dict[str, Any]:
    owner = {"apiVersion": version, "kind": kind, "name": name, "controller": True}
    return {"metadata": {"labels": {key.replace("_", "-"): text for key, text in labels.items()},
                         "ownerReferences": [{"kind": "Other", "name": "o"}, owner]}}  # fmt: skip


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (_pod("ReplicaSet", "web-7d9f", pod_template_hash="7d9f"), ("web", "apps/v1", "Deployment")),
        (_pod("ReplicaSet", "web-own"), ("web-own", "apps/v1", "ReplicaSet")),
        (_pod("ReplicaSet", "web-55", rollouts_pod_template_hash="55"), ("web", "argoproj.io/v1alpha1", "Rollout")),
        (_pod("StatefulSet", "db"), ("db", "apps/v1", "StatefulSet")),
        (_pod("Job", "nightly-29384756", "batch/v1"), ("nightly", "batch/v1", "CronJob")),
        (_pod("Job", "migrate", "batch/v1"), ("migrate", "batch/v1", "Job")),
        (_pod("ReplicationController", "web-3", "v1", deploymentconfig="web"), ("web", "v1", "DeploymentConfig")),
        ({"metadata": {"name": "alone"}}, ("alone", "v1", "Pod")),
        ({"metadata": {"generateName": "made-"}}, ("made", "v1", "Pod")),
        ({}, ("", "v1", "Pod")),
    ],
)
def test_by_owners(pod: dict[str, Any], expected: tuple[str, str, str]) -> None:
    name, version, kind = expected
    assert workload_of(pod, "shop") == Workload(name, "shop", version, kind)

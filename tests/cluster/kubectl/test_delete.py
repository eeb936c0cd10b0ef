"""kubectl delete: propagation, grace, and what it says."""

from __future__ import annotations

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster


def test_orphans_stay_and_foreground_waits(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("create", "deployment", "web", "--image=nginx", *n)
    cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
    out = cluster.kubectl("delete", "deployment", "web", "--cascade=orphan", *n)
    assert out.startswith('deployment.apps "web" deleted')
    left = cluster.get("replicasets", "-l", "app=web", *n)["items"]
    assert [rs["metadata"].get("ownerReferences") for rs in left] == [None]
    assert len(cluster.get("pods", "-l", "app=web", *n)["items"]) == 1
    cluster.kubectl("delete", "replicaset", "-l", "app=web", "--cascade=foreground", "--timeout=60s", *n)
    assert cluster.get("pods", "-l", "app=web", *n)["items"] == []


def test_now_force_and_what_is_not_there(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    # Ignores SIGTERM: only the grace period or force ends it.
    stubborn = ("--image=busybox", *n, "--command", "--", "sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    cluster.kubectl("run", "forced", *stubborn)
    cluster.kubectl("run", "now", *stubborn)
    cluster.kubectl("wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s", *n)
    forced = cluster.try_kubectl("delete", "pod", "forced", "--grace-period=0", "--force", *n)
    assert forced.returncode == 0
    assert "Immediate deletion does not wait for confirmation" in forced.stderr
    assert cluster.try_kubectl("get", "pod", "forced", *n).returncode == 1
    cluster.kubectl("delete", "pod", "now", "--now", "--timeout=60s", *n)
    missing = cluster.try_kubectl("delete", "pod", "absent", *n)
    assert (missing.returncode, missing.stderr) == (1, 'Error from server (NotFound): pods "absent" not found\n')
    assert cluster.kubectl("delete", "pod", "absent", "--ignore-not-found", *n) == ""

"""What a container may do is what its security context says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

_NET_BIND_SERVICE, _CHOWN = 1 << 10, 1


def _create(cluster: LocalCluster, namespace: str, name: str, pod: dict[str, Any], **container: Any) -> None:
    main = {"name": "main", "image": "busybox", "command": ["sleep", "infinity"], **container}
    spec = {"terminationGracePeriodSeconds": 0, "containers": [main], **pod}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    cluster.apply(json.dumps(body), "-n", namespace)


def test_identity_capabilities_and_files(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    identity = {"runAsUser": 1000, "runAsGroup": 3000, "fsGroup": 2000, "supplementalGroups": [4000]}
    limits = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    volumes = [{"name": "d", "emptyDir": {}}, {"name": "t", "emptyDir": {}}]
    mounts = [{"name": "d", "mountPath": "/data"}, {"name": "t", "mountPath": "/ro", "readOnly": True}]
    pod = {"securityContext": identity, "volumes": volumes}
    _create(cluster, namespace, "tight", pod, securityContext=limits, volumeMounts=mounts)
    _create(cluster, namespace, "plain", {})
    _create(cluster, namespace, "privileged", {}, securityContext={"privileged": True})
    _create(cluster, namespace, "refused", {}, securityContext={"runAsNonRoot": True})
    for name in ("tight", "plain", "privileged"):
        cluster.kubectl("wait", f"pod/{name}", "--for=condition=Ready", "--timeout=60s", *n)

    def run(pod: str, script: str) -> str:
        done = cluster.try_kubectl("exec", pod, *n, "--", "sh", "-c", script)
        return (done.stdout + done.stderr).strip()

    def status(pod: str, field: str) -> str:
        return run(pod, f"sed -n 's/^{field}:\\t*//p' /proc/self/status")

    assert run("tight", "id -u; id -g; id -G").split("\n")[:2] == ["1000", "3000"]
    assert set(run("tight", "id -G").split()) == {"3000", "2000", "4000"}
    assert status("tight", "NoNewPrivs") == "1"
    assert int(status("tight", "CapBnd"), 16) == _NET_BIND_SERVICE
    assert run("tight", "touch /data/f && stat -c '%u %g' /data/f") == "1000 2000"
    for path in ("/new", "/etc/new", "/ro/new"):
        assert "Read-only file system" in run("tight", f"touch {path}")

    assert run("plain", "id -u") == "0"
    assert status("plain", "NoNewPrivs") == "0"
    bounding = int(status("plain", "CapBnd"), 16)
    assert bounding & _CHOWN
    assert bounding != int(status("privileged", "CapBnd"), 16)
    assert "denied" in run("plain", "mount -t tmpfs none /mnt")
    assert run("privileged", "mount -t tmpfs none /mnt && echo mounted") == "mounted"
    # What a container writes is its own, not the machine's.
    run("plain", "echo x > /tmp/lateen-scenario; echo x > /etc/lateen-scenario")
    assert not Path("/tmp/lateen-scenario").exists()
    assert not Path("/etc/lateen-scenario").exists()

    reason = "{.status.containerStatuses[0].state.waiting.reason}"
    cluster.wait_for(f"{reason}=CreateContainerConfigError", "pod/refused", *n)
    waiting = cluster.get("pod", "refused", *n)["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["message"].startswith("container has runAsNonRoot and image will run as root")

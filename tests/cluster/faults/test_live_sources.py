"""What a running pod sees of the API (config maps, secrets, tokens) stays live when the API server is killed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

POD = """
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox
    command: [sleep, infinity]
    volumeMounts:
    - {name: settings, mountPath: /settings}
    - {name: secrets, mountPath: /secrets}
    - {name: all, mountPath: /all}
  volumes:
  - {name: settings, configMap: {name: settings}}
  - {name: secrets, secret: {secretName: secrets}}
  - name: all
    projected:
      sources:
      - serviceAccountToken: {path: token, audience: judge, expirationSeconds: 600}
      - configMap: {name: settings}
      - downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
"""
FILES = ("/settings/value", "/secrets/value", "/all/value", "/all/labels")


def review(cluster: LocalCluster, token: str) -> Any:
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": ["judge"]},
    }
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    return json.loads(cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body)))["status"]


def test_sources_follow_through_restarts(fragile: LocalCluster, room: str) -> None:
    n = ("-n", room)
    fragile.kubectl("create", "configmap", "settings", "--from-literal=value=0", *n)
    fragile.kubectl("create", "secret", "generic", "secrets", "--from-literal=value=0", *n)
    fragile.apply(POD, *n)
    fragile.kubectl("wait", "pod/reader", "--for=condition=Ready", "--timeout=60s", *n)
    before = fragile.get("pod", "reader", *n)["status"]["containerStatuses"][0]

    for value in ("1", "2"):
        pid = fragile.kill("apiserver")
        fragile.until_replaced("apiserver", pid)
        fragile.until_succeeds("get", "--raw", "/readyz")
        # At once, so that the nodes' watches have to resume behind or ahead of the changes.
        patch = json.dumps({"stringData": {"value": value}})
        fragile.kubectl("patch", "secret", "secrets", "-p", patch, *n)
        fragile.kubectl("patch", "configmap", "settings", "-p", json.dumps({"data": {"value": value}}), *n)
        fragile.kubectl("label", "--overwrite", "pod/reader", f"value={value}", *n)
        seen = " && ".join(f"grep -q {value} {path}" for path in FILES)
        script = f"until {seen}; do sleep 0.05; done; cat {' '.join(FILES[:3])}"
        assert fragile.kubectl("exec", "reader", *n, "--", "sh", "-c", script) == value * 3

    # A token of before holds, and so does the one the pod's own client uses.
    token = fragile.kubectl("exec", "reader", *n, "--", "cat", "/all/token")
    status = review(fragile, token)
    assert status["authenticated"] is True, status
    assert status["user"]["username"] == f"system:serviceaccount:{room}:default"
    assert status["audiences"] == ["judge"]
    after = fragile.get("pod", "reader", *n)["status"]["containerStatuses"][0]
    assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)

    # A new process of the node asks for a token of its own and goes on renewing; the pod is not disturbed.
    fragile.kill(fragile.get("pod", "reader", *n)["spec"]["nodeName"].removeprefix(f"{fragile.name}-"))
    script = f"until [ \"$(cat /all/token)\" != '{token}' ]; do sleep 0.05; done; cat /all/token"
    renewed = fragile.until_succeeds("exec", "reader", *n, "--", "sh", "-c", script)
    assert review(fragile, renewed)["authenticated"] is True

    # Deleting the pod ends what its tokens are good for.
    fragile.kubectl("delete", "pod", "reader", *n)
    assert review(fragile, token).get("authenticated") is not True

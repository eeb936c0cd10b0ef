"""A StatefulSet behind a headless Service: names, order, DNS, partitioned update, storage that stays."""

from __future__ import annotations

import json

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

_MANIFEST = """
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: web, port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 3
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - name: web
        image: nginx
        readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: asker}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: busybox, command: [sleep, infinity]}]
"""

_RESOLVE = """
import os, socket, sys
sys.path.insert(0, os.environ.get("SITE", ""))
for name in sys.argv[1:]:
    print(name, sorted({a[4][0] for a in socket.getaddrinfo(name, 80, socket.AF_INET)}))
"""

_SRV = """
import random, socket, struct, sys
server = next(line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver"))
labels = b"".join(bytes([len(l)]) + l.encode() for l in sys.argv[1].split(".")) + b"\\0"
asked = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + struct.pack(">HH", 33, 1)
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(10)
client.sendto(asked, (server, 53))
answer = client.recv(4096)
count = struct.unpack(">H", answer[6:8])[0]
def name(at):
    parts = []
    while answer[at]:
        if answer[at] >= 192:
            rest, _ = name((answer[at] & 63) << 8 | answer[at + 1])
            return ".".join([*parts, rest]), at + 2
        parts.append(answer[at + 1 : at + 1 + answer[at]].decode())
        at += 1 + answer[at]
    return ".".join(parts), at + 1
at = len(asked)
for _ in range(count):
    _, at = name(at)
    kind, _, _, length = struct.unpack(">HHIH", answer[at : at + 10])
    at += 10
    if kind == 33:
        print(struct.unpack(">H", answer[at + 4 : at + 6])[0], name(at + 6)[0])
    at += length
"""


def test_members_have_names_order_and_storage_of_their_own(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.apply(_MANIFEST, *n)
    cluster.kubectl("rollout", "status", "statefulset/db", "--timeout=90s", *n)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/asker", "--timeout=60s", *n)
    pods = {p["metadata"]["name"]: p for p in cluster.get("pods", "-l", "app=db", *n)["items"]}
    assert sorted(pods) == ["db-0", "db-1", "db-2"]
    ready_at = [_condition(pods[f"db-{i}"], "Ready")["lastTransitionTime"] for i in range(3)]
    started_at = [pods[f"db-{i}"]["metadata"]["creationTimestamp"] for i in range(3)]
    assert ready_at[0] <= started_at[1]
    assert ready_at[1] <= started_at[2]
    assert pods["db-1"]["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "1"
    assert {c["metadata"]["name"]: c["status"]["phase"] for c in cluster.get("pvc", *n)["items"]} == {
        f"data-db-{i}": "Bound" for i in range(3)
    }

    # Names, from another pod.
    ask = ("exec", "asker", *n, "--", "python3", "-c")
    for name in ("db-1.db", f"db-1.db.{namespace}.svc.cluster.local"):
        assert cluster.kubectl(*ask, _RESOLVE, name) == f"{name} ['{pods['db-1']['status']['podIP']}']\n"
    everyone = sorted(p["status"]["podIP"] for p in pods.values())
    assert cluster.kubectl(*ask, _RESOLVE, "db") == f"db {everyone}\n"
    domain = f"db.{namespace}.svc.cluster.local"
    served = cluster.kubectl(*ask, _SRV, f"_web._tcp.{domain}").splitlines()
    assert sorted(served) == [f"80 db-{i}.{domain}" for i in range(3)]
    assert cluster.kubectl("exec", "db-2", *n, "--", "hostname", "-f").strip() == f"db-2.{domain}"

    # What is written stays as the pod is replaced.
    for i in range(3):
        cluster.kubectl("exec", f"db-{i}", *n, "--", "sh", "-c", "hostname > /data/who")
    cluster.kubectl("delete", "pod", "db-1", *n)
    cluster.kubectl("rollout", "status", "statefulset/db", "--timeout=60s", *n)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/db-1", "--timeout=60s", *n)
    replaced = cluster.get("pod", "db-1", *n)
    assert replaced["metadata"]["uid"] != pods["db-1"]["metadata"]["uid"]
    assert cluster.kubectl("exec", "db-1", *n, "--", "cat", "/data/who") == "db-1\n"

    # An update above a partition, then of all.
    update = {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 2}}}}
    cluster.kubectl("patch", "statefulset", "db", *n, "-p", json.dumps(update))
    cluster.kubectl("set", "image", "statefulset/db", "web=nginx:2", *n)
    assert "partitioned roll out complete" in cluster.kubectl(
        "rollout", "status", "statefulset/db", "--timeout=60s", *n
    )
    assert _images(cluster, namespace) == ["nginx", "nginx", "nginx:2"]
    update["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 0
    cluster.kubectl("patch", "statefulset", "db", *n, "-p", json.dumps(update))
    cluster.kubectl("rollout", "status", "statefulset/db", "--timeout=90s", *n)
    assert _images(cluster, namespace) == ["nginx:2"] * 3
    assert cluster.kubectl("exec", "db-0", *n, "--", "cat", "/data/who") == "db-0\n"

    # Down from the highest, one after the other; the claims stay.
    cluster.kubectl("scale", "statefulset/db", "--replicas=1", *n)
    for name in ("db-2", "db-1"):
        cluster.until_gone(f"pod/{name}", *n)
    kills = [e for e in cluster.get("events", *n)["items"] if e["reason"] == "SuccessfulDelete"]
    last = sorted(kills, key=lambda e: int(e["metadata"]["resourceVersion"]))[-2:]
    assert [e["message"].split()[2] for e in last] == ["db-2", "db-1"]
    assert len(cluster.get("pvc", *n)["items"]) == 3
    cluster.kubectl("scale", "statefulset/db", "--replicas=2", *n)
    cluster.kubectl("rollout", "status", "statefulset/db", "--timeout=60s", *n)
    assert cluster.kubectl("exec", "db-1", *n, "--", "cat", "/data/who") == "db-1\n"


def _condition(pod: dict[str, object], kind: str) -> dict[str, str]:
    status = pod["status"]
    assert isinstance(status, dict)
    return next(c for c in status["conditions"] if c["type"] == kind)


def _images(cluster: LocalCluster, namespace: str) -> list[str]:
    pods = cluster.get("pods", "-l", "app=db", "-n", namespace)["items"]
    return [p["spec"]["containers"][0]["image"] for p in sorted(pods, key=lambda p: str(p["metadata"]["name"]))]

"""A Deployment fed by config maps, secrets, the downward API and tokens, through its environment and its volumes."""

from __future__ import annotations

import json
import uuid
from typing import Any

import jwt
import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

_MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: red, size: "7", app.conf: "level=1\\n"}
binaryData: {raw: AAEC/w==}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: hunter2, user: sailor}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}, annotations: {note: hello}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: busybox
        command: [sh, -c, "trap 'exit 0' TERM; sleep infinity & wait"]
        args: []
        resources: {requests: {cpu: 100m, memory: 32Mi}, limits: {memory: 64Mi}}
        envFrom: [{configMapRef: {name: settings}, prefix: CFG_}, {secretRef: {name: keys}}]
        env:
        - {name: COLOUR, valueFrom: {configMapKeyRef: {name: settings, key: colour}}}
        - {name: ABSENT, valueFrom: {secretKeyRef: {name: nowhere, key: x, optional: true}}}
        - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: LABEL, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
        - {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
        - {name: WHERE, value: "http://$(POD_IP)/$(COLOUR)/$$(COLOUR)/$(NOT_THERE)"}
        volumeMounts:
        - {name: config, mountPath: /etc/app}
        - {name: config, mountPath: /etc/one.conf, subPath: app.conf}
        - {name: secret, mountPath: /etc/keys, readOnly: true}
        - {name: info, mountPath: /etc/info}
        - {name: all, mountPath: /var/run/all}
        - {name: disk, mountPath: /cache}
        - {name: memory, mountPath: /fast}
        - {name: host, mountPath: /host}
      volumes:
      - {name: config, configMap: {name: settings}}
      - {name: secret, secret: {secretName: keys, defaultMode: 0400, items: [{key: password, path: db/password}]}}
      - name: info
        downwardAPI:
          items:
          - {path: labels, fieldRef: {fieldPath: metadata.labels}}
          - {path: note, fieldRef: {fieldPath: "metadata.annotations['note']"}}
          - {path: cpu, resourceFieldRef: {containerName: main, resource: requests.cpu, divisor: 1m}}
      - name: all
        projected:
          sources:
          - configMap: {name: settings, items: [{key: colour, path: colour}]}
          - secret: {name: keys, items: [{key: user, path: user}]}
          - downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}
          - serviceAccountToken: {path: token, audience: ships.example.com, expirationSeconds: 600}
      - {name: disk, emptyDir: {sizeLimit: 1Gi}}
      - {name: memory, emptyDir: {medium: Memory, sizeLimit: 4Mi}}
      - {name: host, hostPath: {path: HOSTPATH, type: DirectoryOrCreate}}
"""

_UNTIL = "until grep -qs '%s' %s; do sleep 0.1; done"


def _app(cluster: LocalCluster, namespace: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = cluster.get("pods", "-l", "app=app", "-n", namespace)["items"]
    assert len(found) == 1
    return found[0]


def test_environment_and_volumes_of_a_deployment(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    host = cluster.root / f"host-{uuid.uuid4().hex[:8]}"
    cluster.apply(_MANIFEST.replace("HOSTPATH", str(host)), *n)
    cluster.kubectl("rollout", "status", "deployment/app", "--timeout=60s", *n)
    pod = _app(cluster, namespace)
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]

    def run(script: str) -> str:
        return cluster.kubectl("exec", name, *n, "--", "sh", "-c", script).strip()

    values = dict(line.partition("=")[::2] for line in run("env").splitlines())
    assert {"CFG_colour": "red", "CFG_size": "7", "password": "hunter2", "COLOUR": "red"}.items() <= values.items()
    assert {"POD_IP": address, "LABEL": "app", "MEMORY": "64"}.items() <= values.items()
    assert "ABSENT" not in values
    assert values["WHERE"] == f"http://{address}/red/$(COLOUR)/$(NOT_THERE)"

    assert run("cat /etc/app/app.conf /etc/one.conf") == "level=1\nlevel=1"
    assert run("od -An -tx1 /etc/app/raw").split() == ["00", "01", "02", "ff"]
    assert run("readlink /etc/app/colour") == "..data/colour"
    assert run("stat -L -c %a /etc/keys/db/password; cat /etc/keys/db/password") == "400\nhunter2"
    assert "Read-only file system" in cluster.try_kubectl("exec", name, *n, "--", "touch", "/etc/keys/new").stderr
    assert 'app="app"' in run("cat /etc/info/labels")
    assert run("cat /etc/info/note; echo; cat /etc/info/cpu") == "hello\n100"
    assert run("cat /var/run/all/colour; echo; cat /var/run/all/user /var/run/all/name") == f"red\nsailor{name}"
    assert run("stat -f -c %T /fast") == "tmpfs"
    assert run("dd if=/dev/zero of=/fast/big bs=1M count=8 2>&1 | grep -c 'No space left'") == "1"
    run("echo from the pod > /host/file")
    assert (host / "file").read_text() == "from the pod\n"

    # Live: through ..data, all at once; a file mounted by subPath stays.
    change = {"data": {"app.conf": "level=2\n", "colour": "blue"}}
    cluster.kubectl("patch", "configmap", "settings", *n, "--type=merge", "-p", json.dumps(change))
    run(_UNTIL % ("level=2", "/etc/app/app.conf"))
    assert run("cat /etc/app/colour") == "blue"
    run(_UNTIL % ("blue", "/var/run/all/colour"))
    assert run("cat /etc/one.conf") == "level=1"
    cluster.kubectl("annotate", "pod", name, "note=changed", "--overwrite", *n)
    run(_UNTIL % ("changed", "/etc/info/note"))
    assert run("echo $COLOUR") == "red"

    # A restart of the container keeps what is in an emptyDir; a new pod begins with an empty one.
    run("echo kept > /cache/file")
    cluster.try_kubectl("exec", name, *n, "--", "sh", "-c", "kill -TERM 1")
    cluster.wait_for("{.status.containerStatuses[0].restartCount}=1", f"pod/{name}", *n)
    cluster.kubectl("wait", f"pod/{name}", *n, "--timeout=60s", "--for=condition=Ready")
    assert run("cat /cache/file /etc/one.conf") == "kept\nlevel=2"
    cluster.kubectl("rollout", "restart", "deployment/app", *n)
    cluster.kubectl("rollout", "status", "deployment/app", "--timeout=60s", *n)
    cluster.until_gone(f"pod/{name}", *n)
    fresh = _app(cluster, namespace)["metadata"]["name"]
    assert cluster.kubectl("exec", fresh, *n, "--", "ls", "/cache") == ""


def test_what_is_missing_is_waited_for_and_told(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.apply(
        """
apiVersion: v1
kind: Pod
metadata: {name: waits}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox
    command: [sleep, infinity]
    env: [{name: A, valueFrom: {secretKeyRef: {name: later, key: a}}}]
    volumeMounts: [{name: c, mountPath: /c}]
  volumes: [{name: c, configMap: {name: later}}]
""",
        *n,
    )
    watch = cluster.start_kubectl("get", "events", "--field-selector=involvedObject.name=waits", "-w", *n)
    assert watch.stdout is not None
    try:
        assert any('configmap "later" not found' in line for line in watch.stdout)
        cluster.kubectl("create", "configmap", "later", "--from-literal=a=1", *n)
        assert any('secret "later" not found' in line for line in watch.stdout)
    finally:
        watch.kill()
        watch.wait()
    waiting = cluster.get("pod", "waits", *n)["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "CreateContainerConfigError"
    cluster.kubectl("create", "secret", "generic", "later", "--from-literal=a=1", *n)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/waits", "--timeout=60s", *n)


def test_projected_tokens_are_verified_by_review_and_by_published_keys(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.apply(_MANIFEST.replace("HOSTPATH", "/tmp"), *n)
    cluster.kubectl("rollout", "status", "deployment/app", "--timeout=60s", *n)
    pod = _app(cluster, namespace)["metadata"]
    token = cluster.kubectl("exec", pod["name"], *n, "--", "cat", "/var/run/all/token")

    discovery = json.loads(cluster.kubectl("get", "--raw", "/.well-known/openid-configuration"))
    keys = jwt.PyJWKSet.from_dict(json.loads(cluster.kubectl("get", "--raw", "/openid/v1/jwks")))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token,
        key,
        algorithms=discovery["id_token_signing_alg_values_supported"],
        audience="ships.example.com",
        issuer=discovery["issuer"],
    )
    assert claims["sub"] == f"system:serviceaccount:{namespace}:default"
    assert claims["kubernetes.io"]["pod"] == {"name": pod["name"], "uid": pod["uid"]}
    # Short ones may be stretched for a client that does not read them again, but not those for others.
    assert claims["exp"] - claims["iat"] == 600
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, key, algorithms=["RS256", "ES256"], audience=discovery["issuer"])

    def review(**spec: Any) -> Any:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        return json.loads(cluster.kubectl("create", "-o", "json", "-f", "-", stdin=json.dumps(body)))["status"]

    found = review(token=token, audiences=["ships.example.com", "other"])
    assert found["authenticated"] is True
    assert found["audiences"] == ["ships.example.com"]
    assert found["user"]["username"] == claims["sub"]
    assert found["user"]["extra"]["authentication.kubernetes.io/pod-name"] == [pod["name"]]
    assert f"system:serviceaccounts:{namespace}" in found["user"]["groups"]
    assert not review(token=token, audiences=["other"]).get("authenticated")
    assert not review(token=token).get("authenticated")
    assert not review(token=token[:-8] + "AAAAAAAA", audiences=["ships.example.com"]).get("authenticated")

    # The pod's own token is one for the API, under the certificate it is given.
    inside = (
        "import json, ssl, urllib.request as u\n"
        "base = '/var/run/secrets/kubernetes.io/serviceaccount/'\n"
        "request = u.Request('https://kubernetes.default.svc/apis/authentication.k8s.io/v1/selfsubjectreviews',"
        ' data=b\'{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}\', method=\'POST\')\n'
        "request.add_header('Authorization', 'Bearer ' + open(base + 'token').read())\n"
        "request.add_header('Content-Type', 'application/json')\n"
        "context = ssl.create_default_context(cafile=base + 'ca.crt')\n"
        "print(json.load(u.urlopen(request, context=context))['status']['userInfo']['username'])\n"
        "print(open(base + 'namespace').read())\n"
    )
    said = cluster.kubectl("exec", pod["name"], *n, "--", "python3", "-c", inside)
    assert said.split() == [f"system:serviceaccount:{namespace}:default", namespace]

    # Bound to the pod: with it gone, the token is worth nothing.
    cluster.kubectl("delete", "deployment", "app", *n)
    cluster.until_gone(f"pod/{pod['name']}", *n)
    assert not review(token=token, audiences=["ships.example.com"]).get("authenticated")

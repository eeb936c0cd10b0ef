"""Webhooks that are pods of the cluster: one puts a sidecar into pods, another says which pods may be."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lateen.cluster.pki.authority import Authority, Subject
from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

_SERVER = """
import base64, json, ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MOUNT = {"name": "proxy-data", "mountPath": "/d"}
SIDECAR = {"name": "proxy", "image": "example.org/pause", "volumeMounts": [MOUNT]}

def inject(pod):
    names = [c["name"] for c in pod["spec"]["containers"]]
    yield {"op": "add", "path": "/metadata/annotations",
           "value": {**pod["metadata"].get("annotations", {}), "saw": ",".join(names)}}
    if "proxy" not in names:
        yield {"op": "add", "path": "/spec/containers/-", "value": SIDECAR}
        yield {"op": "add", "path": "/spec/volumes/-", "value": {"name": "proxy-data", "emptyDir": {}}}

def add_helper(pod):
    if "helper" not in [c["name"] for c in pod["spec"]["containers"]]:
        helper = {"name": "helper", "image": "example.org/pause"}
        yield {"op": "add", "path": "/spec/containers/-", "value": helper}

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review["request"]
        pod = request["object"]
        response = {"uid": request["uid"], "allowed": True}
        path = self.path.partition("?")[0]
        if path == "/validate":
            if len(pod["spec"]["containers"]) < 3:
                response.update(allowed=False, status={"code": 418, "message": "not injected"})
            elif "forbidden" in pod["metadata"].get("labels", {}):
                response.update(allowed=False, status={"message": "the label forbidden is"})
        else:
            patch = list(inject(pod) if path == "/inject" else add_helper(pod))
            response.update(patchType="JSONPatch", patch=base64.b64encode(json.dumps(patch).encode()).decode())
        body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

server = ThreadingHTTPServer(("", 8443), Handler)
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain("/certs/tls.crt", "/certs/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""

_DEPLOYED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: injector}
spec:
  selector: {matchLabels: {app: injector}}
  template:
    metadata: {labels: {app: injector}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: server
        image: python
        command: [python3, /code/server.py]
        readinessProbe: {tcpSocket: {port: 8443}, periodSeconds: 1}
        volumeMounts: [{name: certs, mountPath: /certs}, {name: code, mountPath: /code}]
      volumes:
      - {name: certs, secret: {secretName: injector}}
      - {name: code, configMap: {name: injector}}
---
apiVersion: v1
kind: Service
metadata: {name: injector}
spec: {selector: {app: injector}, ports: [{port: 443, targetPort: 8443}]}
"""


def _deploy(cluster: LocalCluster, namespace: str) -> str:
    """Runs the server with a certificate of its own; gives the caBundle."""
    n = ("-n", namespace)
    now = datetime.now(UTC)
    authority = Authority.create("injector-ca", now)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = Subject("injector", dns_names=(f"injector.{namespace}.svc",), server=True)
    certificate = authority.issue(subject, key.public_key(), timedelta(hours=1), now)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "injector"},
        "stringData": {
            "tls.crt": certificate.public_bytes(Encoding.PEM).decode(),
            "tls.key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        },
    }
    code = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "injector"}, "data": {"server.py": _SERVER}}
    for manifest in (json.dumps(secret), json.dumps(code), _DEPLOYED):
        cluster.apply(manifest, *n)
    cluster.kubectl("rollout", "status", "deployment/injector", "--timeout=80s", *n)
    return base64.b64encode(authority.certificate.public_bytes(Encoding.PEM)).decode()


def _webhook(name: str, namespace: str, bundle: str, path: str, **more: Any) -> dict[str, Any]:
    service = {"name": "injector", "namespace": namespace, "path": path}
    return {
        "name": f"{name}.example.com",
        "clientConfig": {"service": service, "caBundle": bundle},
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"injection": namespace}},
        "objectSelector": {"matchExpressions": [{"key": "inject", "operator": "NotIn", "values": ["no"]}]},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 20,
        **more,
    }


def test_pods_are_injected_and_judged_by_pods(cluster: LocalCluster, namespace: str) -> None:
    bundle = _deploy(cluster, namespace)
    target = cluster.namespace()
    n = ("-n", target)
    kinds = {
        "MutatingWebhookConfiguration": [
            _webhook("a-inject", namespace, bundle, "/inject?of=pods", reinvocationPolicy="IfNeeded"),
            _webhook("b-helper", namespace, bundle, "/helper"),
        ],
        "ValidatingWebhookConfiguration": [_webhook("judge", namespace, bundle, "/validate")],
    }
    try:
        for kind, webhooks in kinds.items():
            configuration = {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": kind,
                "metadata": {"name": namespace},
                "webhooks": webhooks,
            }
            cluster.apply(json.dumps(configuration))
        # The namespace is not selected yet.
        cluster.kubectl("run", "before", "--image=example.org/pause", *n)
        assert _containers(cluster, target, "before") == ["before"]

        cluster.kubectl("label", "namespace", target, f"injection={namespace}")
        cluster.kubectl("create", "deployment", "web", "--image=nginx", *n)
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *n)
        pod = cluster.get("pods", "-l", "app=web", *n)["items"][0]
        assert [c["name"] for c in pod["spec"]["containers"]] == ["nginx", "proxy", "helper"]
        assert "proxy-data" in [v["name"] for v in pod["spec"]["volumes"]]
        assert [s["ready"] for s in pod["status"]["containerStatuses"]] == [True] * 3
        # What was injected is defaulted like all else, and the first webhook saw what the second one did.
        assert pod["spec"]["containers"][1]["terminationMessagePath"] == "/dev/termination-log"
        assert pod["metadata"]["annotations"]["saw"] == "nginx,proxy,helper"

        shown = cluster.kubectl(
            "run", "dry", "--image=nginx", "--dry-run=server", "-o", "jsonpath={.spec.containers[*].name}", *n
        )
        assert shown == "dry proxy helper"
        cluster.kubectl("run", "free", "--image=nginx", "--labels=inject=no", *n)
        assert _containers(cluster, target, "free") == ["free"]
        refused = cluster.try_kubectl("run", "no", "--image=nginx", "--labels=forbidden=yes", *n)
        assert (
            'Error from server: admission webhook "judge.example.com" denied the request: the label forbidden is'
            in refused.stderr
        )

        # Without the server: refused, unless failures are to be ignored.
        cluster.kubectl("scale", "deployment/injector", "--replicas=0", "-n", namespace)
        cluster.until_gone("pod", "-l", "app=injector", "-n", namespace)
        failed = cluster.try_kubectl("run", "late", "--image=nginx", *n)
        assert "InternalError" in failed.stderr
        assert 'failed calling webhook "a-inject.example.com"' in failed.stderr
        for kind, webhooks in kinds.items():
            ignored = [
                {"op": "add", "path": f"/webhooks/{i}/failurePolicy", "value": "Ignore"} for i, _ in enumerate(webhooks)
            ]
            cluster.kubectl("patch", kind.lower(), namespace, "--type=json", "-p", json.dumps(ignored))
        cluster.kubectl("run", "late", "--image=nginx", *n)
        assert _containers(cluster, target, "late") == ["late"]
    finally:
        for kind in kinds:
            cluster.kubectl("delete", kind.lower(), namespace, "--ignore-not-found")
        cluster.kubectl("delete", "namespace", target, "--wait=false")


def _containers(cluster: LocalCluster, namespace: str, pod: str) -> list[str]:
    return [str(c["name"]) for c in cluster.get("pod", pod, "-n", namespace)["spec"]["containers"]]

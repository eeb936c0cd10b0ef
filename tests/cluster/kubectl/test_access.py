"""Certificates, tokens and admission, as an administrator meets them."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lateen.cluster.pki.authority import Authority, Subject
from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

PEM = serialization.Encoding.PEM


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def until(cluster: LocalCluster, *arguments: str) -> str:
    """The output of a kubectl command once it has any."""
    deadline = time.monotonic() + 30
    while not (found := cluster.kubectl(*arguments)):
        assert time.monotonic() < deadline, arguments
        time.sleep(0.1)
    return found


def test_a_user_gets_a_certificate(cluster: LocalCluster, namespace: str, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"jane-{namespace}")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    manifest = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": namespace},
        "spec": {
            "request": base64.b64encode(request.public_bytes(PEM)).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    }
    cluster.apply(json.dumps(manifest))
    assert "Pending" in cluster.kubectl("get", "csr", namespace)
    cluster.kubectl("certificate", "approve", namespace)
    certificate = until(cluster, "get", "csr", namespace, "-o", "jsonpath={.status.certificate}")
    assert "Approved,Issued" in cluster.kubectl("get", "csr", namespace)
    (tmp_path / "jane.crt").write_bytes(base64.b64decode(certificate))
    (tmp_path / "jane.key").write_bytes(private_pem(key))
    as_jane = (
        *cluster.without_identity(),
        *("--client-certificate", str(tmp_path / "jane.crt"), "--client-key", str(tmp_path / "jane.key")),
    )
    assert cluster.user(*as_jane) == f"jane-{namespace}"
    refused = cluster.try_kubectl(*as_jane, "get", "pods", "-n", namespace)
    assert f'User "jane-{namespace}" cannot list resource "pods"' in refused.stderr
    cluster.kubectl("create", "rolebinding", "jane", "--clusterrole=view", f"--user=jane-{namespace}", "-n", namespace)
    cluster.kubectl(*as_jane, "get", "pods", "-n", namespace)


def test_a_secret_may_hold_a_token(cluster: LocalCluster, namespace: str) -> None:
    annotations = {"kubernetes.io/service-account.name": "default"}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "token", "namespace": namespace, "annotations": annotations},
        "type": "kubernetes.io/service-account-token",
    }
    cluster.apply(json.dumps(secret))
    token = until(cluster, "get", "secret", "token", "-n", namespace, "-o", "jsonpath={.data.token}")
    review = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": base64.b64decode(token).decode()},
    }
    answer = json.loads(cluster.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(review)))
    assert answer["status"]["user"]["username"] == f"system:serviceaccount:{namespace}:default"


def test_quotas_and_pod_security(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("create", "quota", "q", "--hard=count/configmaps=2", *n)
    cluster.kubectl("create", "configmap", "one", *n)
    refused = cluster.try_kubectl("create", "configmap", "two", *n)
    assert "exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=2" in refused.stderr
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=baseline")
    overrides = json.dumps({"spec": {"hostNetwork": True}})
    refused = cluster.try_kubectl("run", "p", "--image=nginx", f"--overrides={overrides}", *n)
    assert 'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)' in refused.stderr


class Webhook(ThreadingHTTPServer):
    """Labels what it is shown, and denies objects named `denied`."""

    ca_bundle = ""

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        review: Any = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review["request"]
        patch = [{"op": "add", "path": "/metadata/labels", "value": {"seen": "yes"}}]
        response = {
            "uid": request["uid"],
            "allowed": request["name"] != "denied",
            "status": {"message": "no such names", "code": 403, "reason": "Forbidden"},
            "warnings": ["labelled"],
            "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
            "patchType": "JSONPatch",
        }
        body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def webhook(tmp_path: Path) -> Iterator[Webhook]:
    now = datetime.now(UTC)
    authority = Authority.create("webhook-ca", now)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = Subject("webhook", addresses=(IPv4Address("127.0.0.1"),), server=True)
    certificate = authority.issue(subject, key.public_key(), timedelta(hours=1), now)
    pair = tmp_path / "webhook.pem"
    pair.write_bytes(private_pem(key) + certificate.public_bytes(PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair)
    with Webhook(("127.0.0.1", 0), _Handler) as server:
        server.ca_bundle = base64.b64encode(authority.certificate.public_bytes(PEM)).decode()
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_mutating_webhook(cluster: LocalCluster, namespace: str, webhook: Webhook) -> None:
    n = ("-n", namespace)
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": "label.acme.com",
                "clientConfig": {"url": webhook.url, "caBundle": webhook.ca_bundle},
                "rules": [
                    {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"]}
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
            }
        ],
    }
    cluster.apply(json.dumps(configuration))
    try:
        created = cluster.try_kubectl("create", "secret", "generic", "s", *n)
        assert "Warning: labelled" in created.stderr
        assert cluster.get("secret", "s", *n)["metadata"]["labels"] == {"seen": "yes"}
        refused = cluster.try_kubectl("create", "secret", "generic", "denied", *n)
        assert 'admission webhook "label.acme.com" denied the request: no such names' in refused.stderr
    finally:
        cluster.kubectl("delete", "mutatingwebhookconfiguration", namespace)


def test_a_policy_in_cel(cluster: LocalCluster, namespace: str) -> None:
    rules = [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["secrets"]}]
    group = "admissionregistration.k8s.io/v1"
    policy = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": namespace},
        "spec": {
            "matchConstraints": {"resourceRules": rules},
            "validations": [{"expression": "object.metadata.name.startsWith('ok')"}],
        },
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    binding = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": namespace},
        "spec": {
            "policyName": namespace,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": selector},
        },
    }
    cluster.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": [policy, binding]}))
    try:
        cluster.kubectl("create", "secret", "generic", "ok1", "-n", namespace)
        refused = cluster.try_kubectl("create", "secret", "generic", "bad", "-n", namespace)
        assert "denied request: failed expression: object.metadata.name.startsWith('ok')" in refused.stderr
    finally:
        cluster.kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", namespace)

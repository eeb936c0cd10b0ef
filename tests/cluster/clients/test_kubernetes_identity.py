"""Who a client is and what it may: tokens, reviews, certificates, pods that call the API, leader election."""

from __future__ import annotations

import base64
import subprocess
import sys
import sysconfig
import textwrap
import uuid
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster


def allow_listing_pods(api: client.ApiClient, namespace: str, subject: client.RbacV1Subject) -> None:
    rbac = client.RbacAuthorizationV1Api(api)
    rule = client.V1PolicyRule(api_groups=[""], resources=["pods"], verbs=["list"])
    meta = client.V1ObjectMeta(name="reader")
    rbac.create_namespaced_role(namespace, client.V1Role(metadata=meta, rules=[rule]))
    reference = client.V1RoleRef(api_group="rbac.authorization.k8s.io", kind="Role", name="reader")
    rbac.create_namespaced_role_binding(
        namespace, client.V1RoleBinding(metadata=meta, role_ref=reference, subjects=[subject])
    )


def as_(api: client.ApiClient, **settings: object) -> client.CoreV1Api:
    """The same API server with other credentials."""
    configuration = client.Configuration()
    configuration.host = api.configuration.host
    configuration.ssl_ca_cert = api.configuration.ssl_ca_cert
    for name, value in settings.items():
        setattr(configuration, name, value)
    return client.CoreV1Api(client.ApiClient(configuration))


def code_of(call: Callable[..., object], *arguments: object) -> int:
    with pytest.raises(ApiException) as raised:
        call(*arguments)
    return int(raised.value.status)


def test_tokens_and_access_reviews(api: client.ApiClient, namespace: str) -> None:
    core, access = client.CoreV1Api(api), client.AuthorizationV1Api(api)
    core.create_namespaced_service_account(namespace, client.V1ServiceAccount(metadata={"name": "robot"}))
    subject = client.RbacV1Subject(kind="ServiceAccount", name="robot", namespace=namespace)
    allow_listing_pods(api, namespace, subject)
    wanted = client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=["https://elsewhere"], expiration_seconds=600)
    )
    elsewhere = core.create_namespaced_service_account_token("robot", namespace, wanted).status.token
    claims = jwt.decode(elsewhere, options={"verify_signature": False})
    assert claims["aud"] == ["https://elsewhere"]
    assert claims["exp"] - claims["iat"] == 600
    user = f"system:serviceaccount:{namespace}:robot"
    reviews = client.AuthenticationV1Api(api)
    for audience, accepted in (("https://elsewhere", True), ("https://other", False)):
        review = client.V1TokenReview(spec=client.V1TokenReviewSpec(token=elsewhere, audiences=[audience]))
        status = reviews.create_token_review(review).status
        assert bool(status.authenticated) is accepted
        assert not accepted or status.user.username == user
    assert code_of(as_(api, api_key={"authorization": f"Bearer {elsewhere}"}).list_namespaced_pod, namespace) == 401

    wanted.spec.audiences = []
    here = core.create_namespaced_service_account_token("robot", namespace, wanted).status.token
    robot = as_(api, api_key={"authorization": f"Bearer {here}"})
    assert robot.list_namespaced_pod(namespace).items == []
    assert code_of(robot.list_namespaced_pod, "kube-system") == 403
    for verb, allowed in (("list", True), ("delete", False)):
        attributes = client.V1ResourceAttributes(namespace=namespace, verb=verb, resource="pods")
        review = client.V1SubjectAccessReview(
            spec=client.V1SubjectAccessReviewSpec(user=user, resource_attributes=attributes)
        )
        assert access.create_subject_access_review(review).status.allowed is allowed
        self_review = client.V1SelfSubjectAccessReview(
            spec=client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
        )
        mine = client.AuthorizationV1Api(robot.api_client).create_self_subject_access_review(self_review)
        assert mine.status.allowed is allowed


def test_a_certificate_is_requested_approved_and_used(api: client.ApiClient, namespace: str, tmp_path: Path) -> None:
    certificates, name = client.CertificatesV1Api(api), f"jane-{uuid.uuid4().hex[:8]}"
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    spec = client.V1CertificateSigningRequestSpec(
        request=base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode(),
        signer_name="kubernetes.io/kube-apiserver-client",
        usages=["client auth"],
        expiration_seconds=3600,
    )
    created = certificates.create_certificate_signing_request(
        client.V1CertificateSigningRequest(metadata={"name": name}, spec=spec)
    )
    try:
        created.status.conditions = [
            client.V1CertificateSigningRequestCondition(type="Approved", status="True", reason="Test", message="yes")
        ]
        certificates.replace_certificate_signing_request_approval(name, created)
        watcher, issued = watch.Watch(), None
        for event in watcher.stream(
            certificates.list_certificate_signing_request, field_selector=f"metadata.name={name}", timeout_seconds=60
        ):
            issued = event["object"].status.certificate
            if issued:
                watcher.stop()
        assert issued
    finally:
        certificates.delete_certificate_signing_request(name)
    (tmp_path / "cert.pem").write_bytes(base64.b64decode(issued))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    jane = as_(api, cert_file=str(tmp_path / "cert.pem"), key_file=str(tmp_path / "key.pem"))
    assert code_of(jane.list_namespaced_pod, namespace) == 403
    allow_listing_pods(api, namespace, client.RbacV1Subject(kind="User", name=name))
    assert jane.list_namespaced_pod(namespace).items == []


IN_A_POD = textwrap.dedent("""
    import os
    from kubernetes import client, config
    config.load_incluster_config()
    core = client.CoreV1Api()
    own = open("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read()
    print([pod.metadata.name for pod in core.list_namespaced_pod(own).items])
    for call, arguments in ((core.list_namespaced_pod, ["kube-system"]), (core.list_namespaced_secret, [own])):
        try:
            call(*arguments)
        except client.ApiException as error:
            print(error.status)
    """)


def test_a_pod_uses_the_api_with_its_own_token(api: client.ApiClient, namespace: str) -> None:
    core = client.CoreV1Api(api)
    core.create_namespaced_service_account(namespace, client.V1ServiceAccount(metadata={"name": "robot"}))
    allow_listing_pods(api, namespace, client.RbacV1Subject(kind="ServiceAccount", name="robot", namespace=namespace))
    container = {
        "name": "main",
        "image": "python:3",
        "command": ["python3", "-c", IN_A_POD],
        # The image is this machine's Python without our virtual environment.
        "env": [{"name": "PYTHONPATH", "value": sysconfig.get_path("purelib")}],
    }
    spec = {"serviceAccountName": "robot", "restartPolicy": "Never", "containers": [container]}
    core.create_namespaced_pod(namespace, {"metadata": {"name": "caller"}, "spec": spec})
    watcher = watch.Watch()
    for event in watcher.stream(core.list_namespaced_pod, namespace, timeout_seconds=60):
        if event["object"].status.phase in ("Succeeded", "Failed"):
            watcher.stop()
    assert core.read_namespaced_pod_log("caller", namespace).split("\n") == ["['caller']", "403", "403", ""]


CANDIDATE = textwrap.dedent("""
    import sys
    from kubernetes import config
    from kubernetes.leaderelection import electionconfig, leaderelection
    from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock
    config.load_kube_config()
    namespace, name = sys.argv[1:]
    leaderelection.LeaderElection(electionconfig.Config(
        ConfigMapLock("leader", namespace, name), lease_duration=3, renew_deadline=2, retry_period=1,
        onstarted_leading=lambda: print("leads", flush=True), onstopped_leading=None)).run()
    """)


def test_one_candidate_leads_until_it_dies(cluster: LocalCluster, api: client.ApiClient, namespace: str) -> None:
    def candidate(name: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", CANDIDATE, namespace, name],
            env=cluster.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )

    with candidate("first") as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "leads\n"
        with candidate("second") as second:
            assert second.stdout is not None
            holder = client.CoreV1Api(api).read_namespaced_config_map("leader", namespace)
            assert '"first"' in str(holder.metadata.annotations)
            first.kill()
            assert second.stdout.readline() == "leads\n"
            second.kill()

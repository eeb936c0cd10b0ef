"""An agent and the real control plane: a pod's token becomes a certificate, and with that Envoy is configured."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from cryptography import x509

from lateen.testing.agent_process import AgentProcess
from lateen.testing.istiod import IstiodProcess
from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

POD = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
---
apiVersion: v1
kind: Pod
metadata: {name: app-1, labels: {app: web}}
spec: {serviceAccountName: web, nodeSelector: {never: scheduled}, containers: [{name: app, image: none}]}
"""


@pytest.fixture(scope="module")
def system(control: LocalCluster) -> Iterator[str]:
    name = control.namespace()
    yield name
    control.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def istiod(control: LocalCluster, system: str) -> Iterator[IstiodProcess]:
    environment = {"POD_NAMESPACE": system, "ISTIOD_CUSTOM_HOST": "localhost"}
    with IstiodProcess("--kubeconfig", str(control.kubeconfig), "--issue-certificates", environment=environment) as run:
        run.until_ready()
        yield run


@pytest.fixture
def space(control: LocalCluster, istiod: IstiodProcess) -> Iterator[str]:
    """A namespace with the pod `app-1` and the mesh's roots."""
    name = control.namespace()
    control.apply(POD, "-n", name)
    control.wait_for("{.data}", "configmap", "istio-ca-root-cert", "-n", name)
    yield name
    control.kubectl("delete", "namespace", name, "--wait=false")


def _agent(control: LocalCluster, istiod: IstiodProcess, system: str, space: str, **environment: str) -> AgentProcess:
    address = f"localhost:{istiod.addresses['secure_xds'].rpartition(':')[2]}"
    roots = control.kubectl(
        "get", "configmap", "istio-ca-root-cert", "-n", space, "-o", r"jsonpath={.data.root-cert\.pem}"
    )
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "app-1"}
    return AgentProcess(
        ca_address=address,
        discovery_address=address,
        roots=roots,
        token=control.token("web", space, audiences=["istio-ca"], boundObjectRef=reference),
        environment={
            "POD_NAMESPACE": space, "SERVICE_ACCOUNT": "web", "ISTIOD_SAN": f"istiod.{system}.svc",
            "ISTIO_META_INTERCEPTION_MODE": "NONE", **environment,
        },
    )  # fmt: skip


def _uris(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def test_a_pod_gets_its_certificate_and_its_configuration(control, istiod, system, space):
    with _agent(control, istiod, system, space) as agent:
        agent.until(agent.is_ready)
        certificate = agent.certificate()
        assert _uris(certificate) == [f"spiffe://cluster.local/ns/{space}/sa/web"]
        assert "CN=app-1" in certificate.subject.rfc4514_string()
        _, clusters = agent.get(agent.admin_port, "/clusters")
        assert "PassthroughCluster" in clusters or "outbound|" in clusters


def test_renewals_go_on_and_need_no_token(control, istiod, system, space):
    began = time.time()
    with _agent(control, istiod, system, space, SECRET_TTL="40s", SECRET_GRACE_PERIOD_RATIO="0.9") as agent:
        agent.until(agent.is_ready)
        first = agent.certificate().serial_number
        (agent.root / "var/run/secrets/tokens/istio-token").unlink()
        agent.until(lambda: agent.certificate().serial_number != first)
        assert agent.certificate().not_valid_after_utc.timestamp() > began
        assert _uris(agent.certificate()) == [f"spiffe://cluster.local/ns/{space}/sa/web"]


def test_the_token_of_another_namespace_is_of_no_use(control, istiod, system, space):
    other = control.namespace()
    try:
        with _agent(control, istiod, system, space, POD_NAMESPACE=other) as agent:
            # The certificate is of who the token is of; ADS does not take it for somebody else.
            agent.until(lambda: agent.envoy != 0)
            assert _uris(agent.certificate()) == [f"spiffe://cluster.local/ns/{space}/sa/web"]
            agent.until(lambda: f"{other}" in agent.log() and "xds-grpc" in agent.log())
            assert agent.get(agent.status_port, "/healthz/ready")[0] == 503
            agent.signal(signal.SIGTERM)
            assert agent.ended() == 0
    finally:
        control.kubectl("delete", "namespace", other, "--wait=false")

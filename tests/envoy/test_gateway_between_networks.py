"""A gateway that takes traffic from other networks by server name: it leads to what takes the mesh's TLS, and only
there."""

from __future__ import annotations

import contextlib
import socket
import ssl

from lateen.model.proxy import Traits
from lateen.testing.certificates import Authority
from lateen.testing.free_port import free_port
from lateen.testing.guarded_workload import WITHOUT_METRICS
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.testing.running_envoy import RunningEnvoy
from lateen.testing.static_bootstrap import static_bootstrap
from lateen.testing.tls_application import tls_application

GATEWAY = """
kind: Gateway
metadata: {name: between, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: %d, name: tls, protocol: TLS}
    bind: 127.0.0.1
    hosts: ["*.local"]
    tls: {mode: AUTO_PASSTHROUGH}
---
kind: Pod
metadata: {name: member, labels: {app: member, security.istio.io/tlsMode: istio}}
---
kind: Pod
metadata: {name: opted-out, labels: {app: opted-out, security.istio.io/tlsMode: istio}}
---
kind: PeerAuthentication
metadata: {name: opted-out}
spec: {selector: {matchLabels: {app: opted-out}}, mtls: {mode: DISABLE}}
"""
SERVICE = """
kind: Service
metadata: {name: %s}
spec: {clusterIP: 10.0.0.1, ports: [{name: tls, port: 443}]}
"""


def reaches(port: int, service: str) -> bool:
    """Whether a stranger who names a service as the mesh's clients do comes to its application."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["istio"])
    name = f"outbound_.443_._.{service}.default.svc.cluster.local"
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        context.wrap_socket(plain, server_hostname=name).close()
        return True
    return False


def test_what_does_not_take_the_meshs_tls_is_not_exposed_to_other_networks() -> None:
    with tls_application(Authority("any").issue("server")) as application:
        assert _reached(application) == {"member": True, "opted-out": False, "outsider": False}


def _reached(application: int) -> dict[str, bool]:
    port = free_port()
    backend = {"tls": application}
    mesh = Mesh(
        GATEWAY % port,
        *(SERVICE % name for name in ("member", "opted-out", "outsider")),
        # As the mesh sees it: what TLS an application has of its own is beside the point.
        endpoint_slice("member", ports=backend, pods={"member": "127.0.0.1"}),
        endpoint_slice("opted-out", ports=backend, pods={"opted-out": "127.0.0.1"}),
        endpoint_slice("outsider", ports=backend, addresses=("127.0.0.1",)),
    )
    mesh.mesh_config(WITHOUT_METRICS)
    with RunningEnvoy(static_bootstrap((mesh, mesh.gateway(traits=Traits(certificates=None))))) as envoy:
        envoy.until(lambda: bool(envoy.addresses()), "the gateway listens")
        return {name: reaches(port, name) for name in ("member", "opted-out", "outsider")}

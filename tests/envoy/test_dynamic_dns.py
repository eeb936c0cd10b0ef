"""ServiceEntries with resolution DYNAMIC_DNS: whoever connects names the host, which a real Envoy resolves."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from pathlib import Path

import pytest

from lateen.model.proxy import Interception, Traits
from lateen.testing.certificates import Authority
from lateen.testing.free_port import free_port
from lateen.testing.guarded_workload import WITHOUT_METRICS, Guards
from lateen.testing.mesh import Mesh
from lateen.testing.running_envoy import RunningEnvoy
from lateen.testing.static_bootstrap import static_bootstrap
from lateen.testing.tls_application import tls_application

# Names below localhost are loopback addresses wherever they are resolved (RFC 6761).
ENTRY = """
kind: ServiceEntry
metadata: {name: anything}
spec:
  hosts: ["*.localhost"]
  resolution: DYNAMIC_DNS
  ports:
  - {number: %(http)d, name: http, protocol: HTTP}
  - {number: %(tls)d, name: tls, protocol: TLS}
"""
SIDECAR = """
kind: Sidecar
metadata: {name: client}
spec:
  egress:
  - {port: {number: %(proxy)d, protocol: HTTP_PROXY, name: http}, bind: 127.0.0.1, captureMode: NONE, hosts: ["*/*"]}
  - {port: {number: %(tls)d, protocol: TLS, name: tls}, bind: 127.0.0.2, captureMode: NONE, hosts: ["*/*"]}
"""
GATEWAY = """
kind: Gateway
metadata: {name: egress, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: %(tls)d, name: tls, protocol: TLS}
    bind: 127.0.0.2
    hosts: ["*"]
    tls: {mode: PASSTHROUGH}
---
kind: VirtualService
metadata: {name: egress}
spec:
  hosts: ["*.localhost"]
  gateways: [istio-system/egress]
  tls:
  - match: [{sniHosts: ["*.localhost"]}]
    route: [{destination: {host: "*.localhost", port: {number: %(tls)d}}}]
"""
BARE = Traits(interception=Interception.NONE, certificates=None)


def reaches(address: tuple[str, int], name: str) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=10) as plain:
        context.wrap_socket(plain, server_hostname=name).close()
        return True
    return False


@pytest.mark.parametrize("place", ["sidecar", "gateway"])
def test_tls_goes_to_the_host_that_it_names(place: str) -> None:
    with tls_application(Authority("any").issue("a.localhost")) as port:
        ports = {"http": 80, "tls": port, "proxy": free_port()}
        mesh = Mesh(ENTRY % ports, (SIDECAR if place == "sidecar" else GATEWAY) % ports)
        mesh.mesh_config(WITHOUT_METRICS)
        proxy = mesh.proxy(traits=BARE) if place == "sidecar" else mesh.gateway(traits=BARE)
        with RunningEnvoy(static_bootstrap((mesh, proxy))) as envoy:
            envoy.until(lambda: bool(envoy.addresses()), "the proxy listens")
            # The first connection waits for the addresses.
            assert [reaches(("127.0.0.2", port), "a.localhost") for _ in range(2)] == [True, True]
            # Of other names it resolves none.
            resolved = "dns_cache.lateen-V4_ONLY-60s.host_added"
            assert not reaches(("127.0.0.2", port), "a.example.com")
            assert envoy.stats(resolved) == {resolved: 1}


def test_http_goes_to_the_host_that_it_names(tmp_path: Path) -> None:
    with Guards(tmp_path) as guards:
        ports = {"http": guards.http_application, "tls": free_port(), "proxy": free_port()}
        mesh = Mesh(ENTRY % ports, SIDECAR % ports)
        mesh.mesh_config(WITHOUT_METRICS)
        with RunningEnvoy(static_bootstrap((mesh, mesh.proxy(traits=BARE)))) as envoy:
            envoy.until(lambda: bool(envoy.addresses()), "the proxy listens")
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", ports["proxy"], timeout=10)) as connection:
                connection.request("GET", f"http://a.localhost:{ports['http']}/")
                assert connection.getresponse().status == 200

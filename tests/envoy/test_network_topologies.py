"""Gateways behind other proxies: whose word on the client is taken, gateway by gateway."""

from __future__ import annotations

import contextlib
import http.client
from pathlib import Path

import pytest

from lateen.model.proxy import ProxySettings, Traits
from lateen.model.proxy_settings import settings_of
from lateen.testing.free_port import free_port
from lateen.testing.guarded_workload import WITHOUT_METRICS, Guards
from lateen.testing.mesh import Mesh, endpoint_slice
from lateen.testing.running_envoy import RunningEnvoy
from lateen.testing.static_bootstrap import static_bootstrap

MESH = """
kind: AuthorizationPolicy
metadata: {name: clients, namespace: istio-system}
spec:
  rules: [{from: [{source: {remoteIpBlocks: [1.2.3.4]}}]}]
---
kind: Gateway
metadata: {name: gw, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: %d, name: http, protocol: HTTP}, bind: 127.0.0.1, hosts: ["*"]}]
---
kind: VirtualService
metadata: {name: all}
spec:
  hosts: ["*"]
  gateways: [istio-system/gw]
  http: [{route: [{destination: {host: web}}]}]
---
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
"""


def status(port: int, forwarded_for: str) -> int:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/", headers={"x-forwarded-for": forwarded_for})
        return connection.getresponse().status


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        # The mesh trusts one proxy: the last address it tells of is the client's.
        ({}, {"1.2.3.4": 200, "1.2.3.4, 9.9.9.9": 403}),
        ({"gatewayTopology": {"numTrustedProxies": 2}}, {"1.2.3.4": 403, "1.2.3.4, 9.9.9.9": 200}),
        ({"gatewayTopology": {}}, {"1.2.3.4": 403, "1.2.3.4, 9.9.9.9": 403}),
    ],
)
def test_the_client_is_as_far_away_as_the_gateway_knows(
    tmp_path: Path, own: dict[str, object], expected: dict[str, int]
) -> None:
    port = free_port()
    settings, wrong = settings_of(own)
    assert (wrong, bool(own)) == ((), settings != ProxySettings())
    with Guards(tmp_path) as guards:
        backend = endpoint_slice("web", ports={"http": guards.http_application}, addresses=("127.0.0.1",))
        mesh = Mesh(MESH % port, backend)
        mesh.mesh_config(f"{WITHOUT_METRICS}\ndefaultConfig: {{gatewayTopology: {{numTrustedProxies: 1}}}}")
        gateway = mesh.gateway(traits=Traits(certificates=None, settings=settings))
        with RunningEnvoy(static_bootstrap((mesh, gateway))) as envoy:
            envoy.until(lambda: bool(envoy.addresses()), "the gateway listens")
            assert {said: status(port, said) for said in expected} == expected

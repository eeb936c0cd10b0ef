"""What a proxy's own ProxyConfig says in place of MeshConfig.defaultConfig."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from lateen.model.expected_proxy import expected_proxies
from lateen.model.proxy import Interception, Proxy, ProxySettings, Traits
from lateen.model.proxy_settings import settings_of
from lateen.testing.mesh import Mesh
from lateen.translate.envoy_types import decoded
from lateen.translate.resource import ResourceType

Manager = hcm_pb2.HttpConnectionManager

MESH = """
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.0.0.1, selector: {app: web}, ports: [{name: http, port: 80}]}
---
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: a}]}
---
kind: Gateway
metadata: {name: gw, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 8080, name: http, protocol: HTTP}, hosts: ["*"]}]
---
kind: VirtualService
metadata: {name: v}
spec:
  hosts: [web, other.com]
  gateways: [mesh, istio-system/gw]
  http: [{rewrite: {authority: else.com}, route: [{destination: {host: web}}]}]
"""


def own(**config: Any) -> ProxySettings:
    settings, wrong = settings_of(config)
    assert wrong == ()
    return settings


def managers(mesh: Mesh, proxy: Proxy) -> list[Any]:
    """Every connection manager of a proxy."""
    return list(_managers(mesh, proxy))


def _managers(mesh: Mesh, proxy: Proxy) -> Iterator[Any]:
    for resource in mesh.resources(ResourceType.LDS, proxy).values():
        listener = decoded(ResourceType.LDS, resource)
        for chain in (*listener.filter_chains, listener.default_filter_chain):
            for each in chain.filters:
                if each.typed_config.Is(Manager.DESCRIPTOR):
                    yield Manager.FromString(each.typed_config.value)


def hosts(mesh: Mesh, proxy: Proxy) -> list[Any]:
    """Every virtual host of a proxy."""
    found = [decoded(ResourceType.RDS, each) for each in mesh.resources(ResourceType.RDS, proxy).values()]
    assert found
    return [host for config in found for host in config.virtual_hosts]


def test_a_gateways_own_topology_comes_before_the_meshs() -> None:
    mesh = Mesh(MESH)
    mesh.mesh_config("defaultConfig: {gatewayTopology: {numTrustedProxies: 1, proxyProtocol: {}}}")
    special = mesh.gateway(traits=Traits(settings=own(gatewayTopology={"numTrustedProxies": 2})))
    [general], [found] = managers(mesh, mesh.gateway()), managers(mesh, special)
    assert (general.xff_num_trusted_hops, found.xff_num_trusted_hops) == (1, 2)
    # The whole field is replaced.
    filters = [
        [each.name for each in decoded(ResourceType.LDS, resource).listener_filters]
        for proxy in (mesh.gateway(), special)
        for resource in mesh.resources(ResourceType.LDS, proxy).values()
    ]
    assert filters == [["envoy.filters.listener.proxy_protocol"], []]


def test_an_empty_topology_is_one_too() -> None:
    mesh = Mesh(MESH)
    mesh.mesh_config("defaultConfig: {gatewayTopology: {numTrustedProxies: 1}}")
    [found] = managers(mesh, mesh.gateway(traits=Traits(settings=own(gatewayTopology={}))))
    assert found.xff_num_trusted_hops == 0


@pytest.mark.parametrize("interception", [Interception.REDIRECT, Interception.NONE])
def test_a_sidecars_own_headers_come_before_the_meshs(interception: Interception) -> None:
    mesh = Mesh(MESH)
    mesh.mesh_config("defaultConfig: {proxyHeaders: {server: {value: mesh}, attemptCount: {disabled: true}}}")
    headers = {"server": {"value": "mine"}, "xForwardedHost": {"enabled": True}}
    general = mesh.proxy("web.default", {"app": "web"}, traits=Traits(interception=interception))
    special = mesh.proxy(
        "web.default", {"app": "web"}, traits=Traits(interception=interception, settings=own(proxyHeaders=headers))
    )
    assert {each.server_name for each in managers(mesh, general)} == {"mesh"}
    assert {each.server_name for each in managers(mesh, special)} == {"mine"}
    assert {each.include_request_attempt_count for each in hosts(mesh, general)} == {False}
    assert {each.include_request_attempt_count for each in hosts(mesh, special)} == {True}
    assert {each.routes[0].route.append_x_forwarded_host for each in hosts(mesh, general)} == {False}
    assert {each.routes[0].route.append_x_forwarded_host for each in hosts(mesh, special)} == {True}


def test_a_gateways_own_headers_come_before_the_meshs() -> None:
    mesh = Mesh(MESH)
    headers = {"attemptCount": {"disabled": True}, "xForwardedHost": {"enabled": True}}
    special = mesh.gateway(traits=Traits(settings=own(proxyHeaders=headers)))
    assert [each.include_request_attempt_count for each in hosts(mesh, mesh.gateway())] == [True]
    assert [each.include_request_attempt_count for each in hosts(mesh, special)] == [False]
    assert [each.routes[0].route.append_x_forwarded_host for each in hosts(mesh, mesh.gateway())] == [False]
    assert [each.routes[0].route.append_x_forwarded_host for each in hosts(mesh, special)] == [True]


def test_what_is_wrong_is_located_and_counts_as_not_there() -> None:
    found, wrong = settings_of({"gatewayTopology": {"numTrustedProxies": -1}, "proxyHeaders": "x", "concurrency": 2})
    assert found == ProxySettings()
    assert [fault.path for fault in wrong] == ["proxyHeaders", "gatewayTopology.numTrustedProxies"]


def test_what_only_newer_versions_know_does_no_harm() -> None:
    found, wrong = settings_of({"gatewayTopology": {"numTrustedProxies": 3, "moons": 2}})
    assert (found, wrong) == (own(gatewayTopology={"numTrustedProxies": 3}), ())


def test_a_proxy_that_is_not_connected_is_taken_to_say_what_its_pods_annotation_does() -> None:
    mesh = Mesh(
        """
        kind: Pod
        metadata:
          {name: gw-1, namespace: edge, annotations: {proxy.istio.io/config: "gatewayTopology: {numTrustedProxies: 2}"}}
        ---
        kind: Pod
        metadata: {name: gw-2, namespace: edge, annotations: {proxy.istio.io/config: "{"}}
        """
    )
    [told] = mesh.get(expected_proxies, "edge", "gw-1")
    [silent] = mesh.get(expected_proxies, "edge", "gw-2")
    assert told.traits.settings == own(gatewayTopology={"numTrustedProxies": 2})
    assert silent.traits.settings == ProxySettings()

from __future__ import annotations

from typing import Any

import pytest
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from lateen.model.proxy import ProxySettings
from lateen.testing.mesh import Mesh
from lateen.translate.filters.http_connection_manager import Place, http_connection_manager
from lateen.translate.filters.http_settings import HttpSettings, http_settings

Manager = hcm_pb2.HttpConnectionManager


def settings(config: str) -> HttpSettings:
    mesh = Mesh()
    mesh.mesh_config(config)
    return mesh.engine.get(http_settings, ProxySettings())


def manager(place: Place = Place.OUTBOUND, config: str = "{}", **rest: Any) -> Any:
    return http_connection_manager(place, "test", settings(config), route_name="r", **rest)


@pytest.mark.parametrize(
    ("kind", "normalizes", "merges", "escaped"),
    [
        ("DEFAULT", True, False, Manager.KEEP_UNCHANGED),
        ("NONE", False, False, Manager.KEEP_UNCHANGED),
        ("BASE", True, False, Manager.KEEP_UNCHANGED),
        ("MERGE_SLASHES", True, True, Manager.KEEP_UNCHANGED),
        ("DECODE_AND_MERGE_SLASHES", True, True, Manager.UNESCAPE_AND_FORWARD),
    ],
)
def test_paths_are_normalised_as_the_mesh_says(kind: str, normalizes: bool, merges: bool, escaped: int) -> None:
    found = manager(config=f"pathNormalization: {{normalization: {kind}}}")
    assert (found.normalize_path.value, found.merge_slashes) == (normalizes, merges)
    assert found.path_with_escaped_slashes_action == escaped


@pytest.mark.parametrize(("place", "trusts"), [(Place.OUTBOUND, False), (Place.INBOUND, False), (Place.GATEWAY, True)])
def test_whose_address_is_taken(place: Place, trusts: bool) -> None:
    assert manager(place).use_remote_address.value is trusts


def test_defaults() -> None:
    found = manager()
    assert found.HasField("stream_idle_timeout")
    assert found.proxy_100_continue
    assert [each.upgrade_type for each in found.upgrade_configs] == ["websocket"]
    assert found.rds.config_source.HasField("ads")
    assert found.rds.config_source.HasField("initial_fetch_timeout")
    assert not found.HasField("generate_request_id")
    assert found.forward_client_cert_details == Manager.SANITIZE


@pytest.mark.parametrize(
    ("place", "name"), [(Place.OUTBOUND, ""), (Place.INBOUND, "istio-envoy"), (Place.GATEWAY, "istio-envoy")]
)
def test_who_says_that_it_answered(place: Place, name: str) -> None:
    found = manager(place)
    assert (found.server_name, found.server_header_transformation) == (name, Manager.OVERWRITE)


def test_headers_as_the_mesh_says() -> None:
    found = manager(
        config="""
        defaultConfig:
          proxyHeaders:
            server: {value: me}
            requestId: {disabled: true}
            envoyDebugHeaders: {disabled: true}
            preserveHttp1HeaderCase: true
            xForwardedPort: {enabled: true}
        """
    )
    assert found.server_name == "me"
    assert found.HasField("generate_request_id")
    assert not found.generate_request_id.value
    assert found.append_x_forwarded_port
    assert found.http_protocol_options.header_key_format.stateful_formatter.name == "preserve_case"
    silent = manager(config="defaultConfig: {proxyHeaders: {server: {disabled: true}}}")
    assert silent.server_header_transformation == Manager.PASS_THROUGH


def test_gateways_trust_as_many_proxies_as_they_are_told_of() -> None:
    topology = "defaultConfig: {gatewayTopology: {numTrustedProxies: 3, forwardClientCertDetails: APPEND_FORWARD}}"
    found = manager(Place.GATEWAY, topology)
    assert found.xff_num_trusted_hops == 3
    assert found.forward_client_cert_details == Manager.APPEND_FORWARD
    assert manager(Place.INBOUND, topology).xff_num_trusted_hops == 0


def test_grpc_web_and_http2() -> None:
    found = manager(Place.INBOUND, grpc_web=True, http2=True)
    assert found.http_filters[0].name == "envoy.filters.http.grpc_web"
    assert found.HasField("http2_protocol_options")

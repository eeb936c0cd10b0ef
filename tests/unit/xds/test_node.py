from __future__ import annotations

from typing import Any

import pytest
from envoy.config.core.v3 import base_pb2
from google.protobuf import json_format

from lateen.api.mesh.proxy_config import ProxyHeaders, ServerHeader, Topology
from lateen.model.endpoint import Locality
from lateen.model.proxy import Certificates, Generator, Interception, ProxySettings, Role
from lateen.xds.node import BadNode, proxy_of, version_of

ID = "sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local"


def node(id: str = ID, metadata: dict[str, Any] | None = None, **fields: Any) -> Any:
    return json_format.ParseDict({"id": id, "metadata": metadata or {}, **fields}, base_pb2.Node())


def test_what_the_id_says() -> None:
    proxy = proxy_of(node())
    assert (proxy.id, proxy.name, proxy.namespace, proxy.role) == ("web-1.shop", "web-1", "shop", Role.SIDECAR)
    assert proxy.addresses == ("10.0.0.1",)
    assert proxy.dns_domain == "shop.svc.cluster.local"


def test_names_may_have_dots() -> None:
    assert proxy_of(node("router~10.0.0.1~a.b.c.shop~x")).name == "a.b.c"


def test_an_application_says_that_it_is_its_own_proxy() -> None:
    assert proxy_of(node()).generator is Generator.ENVOY
    assert proxy_of(node(metadata={"GENERATOR": "grpc"})).generator is Generator.GRPC
    with pytest.raises(BadNode, match="GENERATOR is 'api'"):
        proxy_of(node(metadata={"GENERATOR": "api"}))
    with pytest.raises(BadNode, match="node id is of a router"):
        proxy_of(node("router~10.0.0.1~web-1.shop~x", metadata={"GENERATOR": "grpc"}))


def test_what_the_metadata_say() -> None:
    proxy = proxy_of(
        node(
            metadata={
                "NAMESPACE": "shop",
                "LABELS": {"version": "v1", "app": "web"},
                "SERVICE_ACCOUNT": "buyer",
                "CLUSTER_ID": "east",
                "NETWORK": "net",
                "NODE_NAME": "n1",
                "INSTANCE_IPS": "10.0.0.1,fd00:0::1, 10.0.0.2",
                "INTERCEPTION_MODE": "NONE",
                "DNS_CAPTURE": "true",
                "UNPRIVILEGED_POD": "true",
                "ENVOY_EXTENSIONS": ["not", "read"],
            }
        )
    )
    assert proxy.labels == (("app", "web"), ("version", "v1"))
    assert proxy.service_account == "buyer"
    assert (proxy.cluster_id, proxy.network, proxy.node) == ("east", "net", "n1")
    assert proxy.addresses == ("10.0.0.1", "fd00::1", "10.0.0.2")
    traits = proxy.traits
    assert (traits.ipv4, traits.ipv6) == (True, True)
    assert traits.interception is Interception.NONE
    assert traits.dns_capture
    assert not traits.privileged_ports


@pytest.mark.parametrize(
    ("fields", "labels", "expected"),
    [
        ({"locality": {"region": "r", "zone": "z", "sub_zone": "s"}}, {"istio-locality": "x"}, ("r", "z", "s")),
        ({}, {"istio-locality": "r.z.s"}, ("r", "z", "s")),
        ({}, {"istio-locality": "r/z.1"}, ("r", "z.1", "")),
        ({}, {"topology.kubernetes.io/region": "r", "topology.istio.io/subzone": "s"}, ("r", "", "s")),
        ({}, {}, ("", "", "")),
    ],
)
def test_locality(fields: dict[str, Any], labels: dict[str, str], expected: tuple[str, str, str]) -> None:
    assert proxy_of(node(metadata={"LABELS": labels}, **fields)).locality == Locality(*expected)


@pytest.mark.parametrize(
    ("id", "metadata", "why"),
    [
        ("x" * 700, {}, "700 characters"),
        ("sidecar~10.0.0.1~web.shop", {}, "not of the form role~ip"),
        ("sidecar~~web.shop~x", {}, "no IP address"),
        ("sidecar~10.0.0.1~web.Shop~x", {}, "name.namespace"),
        ("sidecar~10.0.0.1~we/b.shop~x", {}, "name.namespace"),
        ("ztunnel~10.0.0.1~web.shop~x", {}, "no kind of proxy"),
        (ID, {"NAMESPACE": "other"}, "namespace 'shop', but its metadata NAMESPACE is 'other'"),
        (ID, {"LABELS": {"a": 1}}, "LABELS.a is not a string"),
        (ID, {"LABELS": "a=b"}, "LABELS is not a map"),
        (ID, {"LABELS": {str(n): "" for n in range(300)}}, "300 labels"),
        (ID, {"LABELS": {"a": "x" * 2000}}, "2000 characters"),
        (ID, {"SERVICE_ACCOUNT": 3}, "SERVICE_ACCOUNT is not a string"),
        (ID, {"INSTANCE_IPS": "10.0.0.1,ten"}, "'ten' is not an IP address"),
        (ID, {"INTERCEPTION_MODE": "MAGIC"}, "MAGIC"),
        (ID, {"DNS_CAPTURE": "perhaps"}, "perhaps"),
        (ID, {"LATEEN_CERTIFICATES": "no"}, "LATEEN_CERTIFICATES is 'no'; 'none' or a map"),
        (ID, {"LATEEN_CERTIFICATES": {"rots": "/r"}}, "rots"),
        (ID, {"LATEEN_CERTIFICATES": False}, "LATEEN_CERTIFICATES is not a map"),
        (ID, {"PROXY_CONFIG": "x"}, "PROXY_CONFIG is not a map"),
        (ID, {"PROXY_CONFIG": {"gatewayTopology": 1}}, "PROXY_CONFIG.gatewayTopology: expected an object"),
        (ID, {"PROXY_CONFIG": {"gatewayTopology": {"numTrustedProxies": 1.5}}}, "gatewayTopology.numTrustedProxies"),
        (ID, {"PROXY_CONFIG": {"proxyHeaders": {"server": {"value": "x" * 2000}}}}, "proxyHeaders has .* bytes"),
    ],
)
def test_what_makes_no_sense_is_refused(id: str, metadata: dict[str, Any], why: str) -> None:
    with pytest.raises(BadNode, match=why):
        proxy_of(node(id, metadata))


def test_certificates_are_where_istio_puts_them_unless_the_proxy_says_otherwise() -> None:
    assert proxy_of(node()).traits.certificates == Certificates()
    files = {"workload": "/w.yaml", "system_roots": "/roots.pem"}
    found = proxy_of(node(metadata={"LATEEN_CERTIFICATES": files})).traits.certificates
    assert found == Certificates(workload="/w.yaml", system_roots="/roots.pem")


def test_a_proxy_may_have_no_certificates() -> None:
    assert proxy_of(node(metadata={"LATEEN_CERTIFICATES": "none"})).traits.certificates is None


def test_what_its_own_proxy_config_says_of_its_listeners() -> None:
    assert proxy_of(node()).traits.settings == ProxySettings()
    config = {
        "concurrency": 2,
        "gatewayTopology": {"numTrustedProxies": 2},
        "proxyHeaders": {"server": {"disabled": True}},
    }
    settings = proxy_of(node(metadata={"PROXY_CONFIG": config})).traits.settings
    assert settings == ProxySettings(ProxyHeaders(server=ServerHeader(disabled=True)), Topology(num_trusted_proxies=2))


def test_version_is_istios_or_envoys() -> None:
    assert version_of(node(metadata={"ISTIO_VERSION": "1.30.0"})) == "1.30.0"
    envoy = node(user_agent_build_version={"version": {"major_number": 1, "minor_number": 40}})
    assert version_of(envoy) == "1.40.0"
    assert version_of(node()) == ""

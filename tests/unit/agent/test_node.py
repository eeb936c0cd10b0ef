from __future__ import annotations

import pytest
from envoy.config.core.v3 import base_pb2
from google.protobuf import json_format

from lateen.agent.node import BadPodInfo, Pod, cluster, labels_of, metadata, node, parse_downward
from lateen.agent.proxy_config import ProxyConfig
from lateen.xds.node import proxy_of

_ENVIRONMENT = {
    "POD_NAME": "web-1",
    "POD_NAMESPACE": "shop",
    "SERVICE_ACCOUNT": "web",
    "ISTIO_META_WORKLOAD_NAME": "web",
    "ISTIO_META_CLUSTER_ID": "one",
    "ISTIO_META_NETWORK": "net",
    "ISTIO_META_NODE_NAME": "node-a",
    "ISTIO_META_DNS_CAPTURE": "true",
    "ISTIO_META_INTERCEPTION_MODE": "TPROXY",
    "ISTIO_METAJSON_THINGS": '{"FREE": {"a": "b"}}',
    "ISTIO_METAJSON_LABELS": '{"app": "static", "only": "static"}',
    "OTHER": "x",
}


def _pod(**changes):
    labels = {"app": "web", "istio-locality": "eu.north.1"}
    given = {"role": "sidecar", "domain": "shop.svc.cluster.local", "addresses": ("10.1.1.1", "fd00::1"), **changes}
    environment = given.pop("environment", _ENVIRONMENT)
    return Pod(environment=environment, labels=labels_of(environment, labels), annotations={"a": "b"}, **given)


def _metadata(pod, config=ProxyConfig(), **changes):  # noqa: B008
    given = {
        "version": "9", "certificates": {"workload": "/a", "roots": "/b"}, "control_plane_name": "istiod.x.svc",
        "status_port": 15021, "prometheus_port": 15090, "on_zero_connections": False, **changes,
    }  # fmt: skip
    return metadata(pod, config, {"concurrency": 2}, **given)


def test_the_control_plane_reads_what_the_agent_writes():
    pod = _pod()
    message = json_format.ParseDict(node(pod, ProxyConfig(), _metadata(pod)), base_pb2.Node())
    proxy = proxy_of(message)
    assert proxy.id == "web-1.shop"
    assert (proxy.namespace, proxy.service_account) == ("shop", "web")
    assert proxy.addresses == ("10.1.1.1", "fd00::1")
    assert (proxy.network, proxy.cluster_id, proxy.node) == ("net", "one", "node-a")
    assert dict(proxy.labels) == {"app": "web", "only": "static", "istio-locality": "eu/north/1"}
    assert (proxy.locality.region, proxy.locality.zone, proxy.locality.subzone) == ("eu", "north", "1")
    assert proxy.dns_domain == "shop.svc.cluster.local"
    assert proxy.traits.dns_capture
    assert proxy.traits.interception.value == "TPROXY"
    assert proxy.traits.certificates.workload == "/a"


def test_metadata_of_every_source():
    found = _metadata(_pod(), ProxyConfig(proxy_metadata={"ISTIO_META_EXTRA": "1", "PLAIN": "2"}, mesh_id="m"))
    assert found["EXTRA"] == "1"
    assert "PLAIN" not in found
    assert found["FREE"] == {"a": "b"}
    assert found["MESH_ID"] == "m"
    assert found["PROXY_CONFIG"] == {"concurrency": 2}
    assert found["PILOT_SAN"] == ["istiod.x.svc"]
    assert found["ENVOY_STATUS_PORT"] == 15021
    assert "EXIT_ON_ZERO_ACTIVE_CONNECTIONS" not in found
    assert _metadata(_pod(), on_zero_connections=True)["EXIT_ON_ZERO_ACTIVE_CONNECTIONS"] == "true"


def test_what_the_agent_knows_itself_goes_before_what_the_environment_claims():
    environment = {**_ENVIRONMENT, "ISTIO_META_NAMESPACE": "elsewhere", "ISTIO_META_NAME": "somebody"}
    found = _metadata(_pod(environment=environment))
    assert (found["NAMESPACE"], found["NAME"]) == ("shop", "web-1")


def test_downward_files():
    text = 'app="web"\npod-template-hash="abc"\nquote="say \\"hi\\"\\n\\u00e9\\x41"\nempty=""\n'
    assert parse_downward(text) == {"app": "web", "pod-template-hash": "abc", "quote": 'say "hi"\né\x41', "empty": ""}
    assert labels_of({}, parse_downward('pod-template-hash="abc"')) == {}


@pytest.mark.parametrize("text", ["app=web", 'app="web', "app=__import__('os')", 'app="a" + "b"'])
def test_downward_files_that_are_none(text):
    with pytest.raises(BadPodInfo, match="app is not in quotes"):
        parse_downward(text)


@pytest.mark.parametrize(
    ("config", "labels", "workload", "expected"),
    [
        (ProxyConfig(), {"app": "a"}, "w", "a.shop"),
        (ProxyConfig(), {}, "w", "w.shop"),
        (ProxyConfig(), {}, "", "istio-proxy.shop"),
        (ProxyConfig(service_cluster="mine"), {"app": "a"}, "w", "mine"),
        (ProxyConfig(service_cluster="istio-proxy"), {"app": "a"}, "w", "a.shop"),
        (ProxyConfig(tracing_service_name="CANONICAL_NAME_ONLY"), {"app.kubernetes.io/name": "c"}, "w", "c"),
        (ProxyConfig(tracing_service_name="CANONICAL_NAME_AND_NAMESPACE"), {}, "w", "w.shop"),
    ],
)
def test_the_name_in_traces(config, labels, workload, expected):
    environment = {"POD_NAME": "p", "POD_NAMESPACE": "shop", "ISTIO_META_WORKLOAD_NAME": workload}
    assert cluster(Pod("sidecar", "d", ("10.0.0.1",), environment, labels, {}), config) == expected


def test_json_that_is_none():
    with pytest.raises(BadPodInfo, match="ISTIO_METAJSON_LABELS is not JSON"):
        labels_of({"ISTIO_METAJSON_LABELS": "{"}, {})

from __future__ import annotations

from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2
from google.protobuf import any_pb2, json_format, struct_pb2, wrappers_pb2
from hypothesis import given
from hypothesis import strategies as st

from lateen.api.objects import Key, ObjectRef
from lateen.translate.metadata import ServiceName, cluster_metadata, config_path
from lateen.translate.wire import any_type, double, embedded, sized, tag, text, unsigned, varint

_Cluster: Any = cluster_pb2.Cluster


@given(st.integers(0, 2**64 - 1))
def test_numbers(value: int) -> None:
    body = unsigned(1, value)
    assert wrappers_pb2.UInt64Value.FromString(body).value == value
    assert body == wrappers_pb2.UInt64Value(value=value).SerializeToString()
    assert varint(value)[-1] < 0x80


@given(st.text(max_size=300))
def test_texts(value: str) -> None:
    assert text(1, value) == wrappers_pb2.StringValue(value=value).SerializeToString()


@given(st.floats(allow_nan=False))
def test_doubles(value: float) -> None:
    assert double(2, value) == struct_pb2.Value(number_value=value).SerializeToString()


@given(st.integers(1, 2000))
def test_long_bodies_and_great_field_numbers(length: int) -> None:
    value = "x" * length
    assert _Cluster.FromString(text(28, value)).alt_stat_name == value
    inner = embedded(43, text(1, value))
    assert _Cluster.FromString(inner + inner).transport_socket_matches[1].name == value


@given(st.integers(1, 2000), st.integers(0, 20_000))
def test_a_field_is_its_tag_and_its_sized_body(number: int, length: int) -> None:
    assert tag(number) + sized(b"x" * length) == embedded(number, b"x" * length)


def test_parts_are_merged() -> None:
    first = _Cluster(name="a", type=_Cluster.EDS)
    first.eds_cluster_config.eds_config.ads.SetInParent()
    merged = _Cluster.FromString(first.SerializeToString() + embedded(3, text(2, "b")) + text(1, "c"))
    assert merged.name == "c"
    assert merged.eds_cluster_config.service_name == "b"
    assert merged.eds_cluster_config.eds_config.HasField("ads")


def test_messages_in_any() -> None:
    found = any_pb2.Any.FromString(any_type("google.protobuf.StringValue") + embedded(2, text(1, "a")))
    value = wrappers_pb2.StringValue()
    assert found.Unpack(value)
    assert value.value == "a"


def istio(body: bytes) -> dict[str, Any]:
    metadata = json_format.MessageToDict(base_pb2.Metadata.FromString(body), preserving_proto_field_name=True)
    assert list(metadata["filter_metadata"]) == ["istio"]
    return dict(metadata["filter_metadata"]["istio"])


RULE = ObjectRef("DestinationRule", Key("ns", "rule"))


def test_metadata_of_a_cluster() -> None:
    services = (ServiceName("a.b.svc", "a", "b"), ServiceName("c.b.svc", "c", "b"))
    assert istio(cluster_metadata(services, config=RULE, subset="v1", port=80, external=True)) == {
        "config": "/apis/networking.istio.io/v1/namespaces/ns/destination-rule/rule",
        "default_original_port": 80.0,
        "external": True,
        "service": {"host": "a.b.svc", "name": "a", "namespace": "b"},
        "services": [
            {"host": "a.b.svc", "name": "a", "namespace": "b"},
            {"host": "c.b.svc", "name": "c", "namespace": "b"},
        ],
        "subset": "v1",
    }


def test_metadata_of_a_cluster_of_no_service() -> None:
    assert istio(cluster_metadata(())) == {"services": []}


def test_what_a_resource_is_called_in_metadata() -> None:
    path = config_path(ObjectRef("VirtualService", Key("ns", "routes")))
    assert path == "/apis/networking.istio.io/v1/namespaces/ns/virtual-service/routes"

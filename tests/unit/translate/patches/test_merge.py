"""The algebra of merging."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import address_pb2, base_pb2, protocol_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2
from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st

from lateen.api.networking.envoy_filter import Operation
from lateen.translate.patches.merge import Misfit, merge, merge_any_by

numbers = st.integers(0, 2**32 - 1)
texts = st.text(max_size=8)


@st.composite
def clusters(draw: st.DrawFn, with_oneof: bool = True) -> Any:
    """Clusters with fields of each kind: scalars, lists, maps, messages, wrappers, durations, oneofs."""
    cluster = cluster_pb2.Cluster(
        name=draw(texts),
        alt_stat_name=draw(texts),
        lb_policy=draw(st.sampled_from(cluster_pb2.Cluster.LbPolicy.values())),
        ignore_health_on_host_removal=draw(st.booleans()),
    )
    if draw(st.booleans()):
        cluster.connect_timeout.CopyFrom(Duration(seconds=draw(st.integers(0, 99)), nanos=draw(st.integers(0, 999))))
    if draw(st.booleans()):
        cluster.per_connection_buffer_limit_bytes.value = draw(numbers)
    for _ in range(draw(st.integers(0, 2))):
        cluster.health_checks.add().alt_port.value = draw(st.integers(0, 65535))
    for key in draw(st.lists(texts, max_size=2)):
        cluster.metadata.filter_metadata[key]["a"] = draw(texts)
    if draw(st.booleans()):
        cluster.outlier_detection.consecutive_5xx.value = draw(numbers)
    if not with_oneof:
        return cluster
    if draw(st.booleans()):
        cluster.type = draw(st.sampled_from((0, 1, 2, 3, 4)))
    elif draw(st.booleans()):
        cluster.cluster_type.name = draw(texts)
    return cluster


def merged(target: Any, patch: Any, replace_lists: bool = False) -> Any:
    found = type(target)()
    found.CopyFrom(target)
    merge(found, patch, replace_lists)
    return found


@given(clusters())
def test_an_empty_patch_changes_nothing(cluster: Any) -> None:
    assert merged(cluster, cluster_pb2.Cluster()) == cluster


@given(clusters())
def test_merging_into_nothing_gives_the_patch(cluster: Any) -> None:
    assert merged(cluster_pb2.Cluster(), cluster) == cluster


@given(clusters(with_oneof=False), clusters(with_oneof=False), clusters(with_oneof=False))
def test_merging_is_associative_where_no_member_of_a_oneof_drives_out_another(
    first: Any, second: Any, third: Any
) -> None:
    assert merged(merged(first, second), third) == merged(first, merged(second, third))


@given(clusters(), clusters())
def test_the_patch_is_left_alone(target: Any, patch: Any) -> None:
    before = patch.SerializeToString(deterministic=True)
    merged(target, patch)
    assert patch.SerializeToString(deterministic=True) == before


@given(clusters())
def test_replacing_lists_makes_merging_idempotent(cluster: Any) -> None:
    assert merged(cluster, cluster, replace_lists=True) == cluster


@given(clusters(), clusters())
def test_it_is_protobufs_own_merge_but_for_values_that_replace_as_one(target: Any, patch: Any) -> None:
    expected = type(target)()
    expected.CopyFrom(target)
    expected.MergeFrom(patch)
    for name in ("connect_timeout", "per_connection_buffer_limit_bytes"):
        if patch.HasField(name):
            getattr(expected, name).CopyFrom(getattr(patch, name))
    if patch.outlier_detection.HasField("consecutive_5xx"):
        expected.outlier_detection.consecutive_5xx.CopyFrom(patch.outlier_detection.consecutive_5xx)
    assert merged(target, patch) == expected


def test_a_duration_replaces_as_a_whole() -> None:
    target = cluster_pb2.Cluster(connect_timeout=Duration(seconds=1, nanos=500))
    assert merged(target, cluster_pb2.Cluster(connect_timeout=Duration(seconds=2))).connect_timeout == Duration(
        seconds=2
    )


def test_a_wrapped_scalar_may_become_zero() -> None:
    target = route_components_pb2.VirtualHost(per_request_buffer_limit_bytes=wrappers_pb2.UInt32Value(value=7))
    patch = route_components_pb2.VirtualHost(per_request_buffer_limit_bytes=wrappers_pb2.UInt32Value(value=0))
    found = merged(target, patch)
    assert found.HasField("per_request_buffer_limit_bytes")
    assert found.per_request_buffer_limit_bytes.value == 0


def test_an_empty_message_is_set() -> None:
    target = cluster_pb2.Cluster()
    patch = cluster_pb2.Cluster(outlier_detection={})
    assert merged(target, patch).HasField("outlier_detection")


def test_another_member_of_a_oneof_takes_its_place() -> None:
    target = address_pb2.Address(pipe={"path": "/a"})
    found = merged(target, address_pb2.Address(socket_address={"address": "1.1.1.1", "port_value": 1}))
    assert found.WhichOneof("address") == "socket_address"


def test_lists_are_appended_to_or_replaced() -> None:
    target = route_components_pb2.VirtualHost(domains=["a"])
    patch = route_components_pb2.VirtualHost(domains=["b"])
    assert list(merged(target, patch).domains) == ["a", "b"]
    assert list(merged(target, patch, replace_lists=True).domains) == ["b"]


def test_entries_of_maps_replace() -> None:
    target, patch = base_pb2.Metadata(), base_pb2.Metadata()
    target.filter_metadata["a"]["x"] = "1"
    target.filter_metadata["b"]["x"] = "1"
    patch.filter_metadata["a"]["y"] = "2"
    found = merged(target, patch)
    assert dict(found.filter_metadata["a"]) == {"y": "2"}
    assert dict(found.filter_metadata["b"]) == {"x": "1"}


def packed(message: Any) -> Any:
    found = any_pb2.Any()
    found.Pack(message)
    return found


def test_what_two_anys_hold_is_merged() -> None:
    target = packed(protocol_pb2.Http2ProtocolOptions(max_concurrent_streams={"value": 5}, allow_connect=True))
    merge_any_by(
        Operation.MERGE, target, packed(protocol_pb2.Http2ProtocolOptions(max_concurrent_streams={"value": 6}))
    )
    found = protocol_pb2.Http2ProtocolOptions()
    assert target.Unpack(found)
    assert (found.max_concurrent_streams.value, found.allow_connect) == (6, True)


@pytest.mark.parametrize(
    ("operation", "expected"), [(Operation.MERGE, ["a", "b"]), (Operation.MERGE_AND_REPLACE_LIST, ["b"])]
)
def test_lists_in_anys_are_appended_to_or_replaced(operation: Operation, expected: list[str]) -> None:
    target = packed(tls_pb2.CommonTlsContext(alpn_protocols=["a"]))
    merge_any_by(operation, target, packed(tls_pb2.CommonTlsContext(alpn_protocols=["b"])))
    found = tls_pb2.CommonTlsContext()
    assert target.Unpack(found)
    assert list(found.alpn_protocols) == expected


def test_anys_of_different_types_do_not_merge() -> None:
    target = packed(protocol_pb2.Http2ProtocolOptions())
    with pytest.raises(Misfit, match=r"Http1ProtocolOptions cannot be merged into the .*Http2ProtocolOptions"):
        merge_any_by(Operation.MERGE, target, packed(protocol_pb2.Http1ProtocolOptions()))

"""What EnvoyFilters may match of a node's metadata."""

from __future__ import annotations

from envoy.config.core.v3 import base_pb2

from lateen.xds.node import MAX_LABELS, MAX_VALUE, proxy_of


def node() -> base_pb2.Node:
    return base_pb2.Node(id="sidecar~10.0.0.1~web.default~default.svc.cluster.local")


def test_texts_are_kept_sorted_and_nothing_else() -> None:
    made = node()
    made.metadata.update({"ISTIO_VERSION": "1.28.0", "A": "1", "LABELS": {"app": "web"}, "N": 7, "B": True})
    assert proxy_of(made).metadata == (("A", "1"), ("ISTIO_VERSION", "1.28.0"))


def test_what_is_beyond_the_bounds_is_left_out() -> None:
    made = node()
    made.metadata.update({"LONG": "x" * (MAX_VALUE + 1), "FITS": "x" * MAX_VALUE})
    assert [name for name, _ in proxy_of(made).metadata] == ["FITS"]
    made.metadata.update({f"K{index:04}": "x" for index in range(2 * MAX_LABELS)})
    assert len(proxy_of(made).metadata) == MAX_LABELS

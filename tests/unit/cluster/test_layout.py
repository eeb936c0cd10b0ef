from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from lateen.cluster.layout import MAX_CLUSTERS, MAX_NODES, Layout, load
from lateen.cluster.spec import Spec, save_spec


def ranges(layout: Layout) -> list:
    return [
        layout.fabric_ipv4,
        layout.load_balancers_ipv4,
        layout.pods_ipv4,
        layout.services_ipv4,
        layout.fabric_ipv6,
        layout.load_balancers_ipv6,
        layout.pods_ipv6,
        layout.services_ipv6,
    ]


def test_no_two_ranges_of_any_clusters_overlap() -> None:
    found = [r for i in range(MAX_CLUSTERS) for r in ranges(Layout("x", i, Path("/x")))]
    assert not [(a, b) for a, b in combinations(found, 2) if a.version == b.version and a.overlaps(b)]


def test_nodes_have_disjoint_pod_ranges_within_the_clusters() -> None:
    layout = Layout("x", 3, Path("/x"))
    nodes = [layout.node(n) for n in (1, 2, MAX_NODES)]
    assert all(n.pods_ipv4.subnet_of(layout.pods_ipv4) and n.pods_ipv6.subnet_of(layout.pods_ipv6) for n in nodes)
    assert len({n.pods_ipv4 for n in nodes}) == len({n.pods_ipv6 for n in nodes}) == 3


def test_indexes_and_node_numbers_are_bounded() -> None:
    with pytest.raises(ValueError, match=r"0\.\.63"):
        Layout("x", MAX_CLUSTERS, Path("/x"))
    with pytest.raises(ValueError, match=r"1\.\.100"):
        Layout("x", 0, Path("/x")).node(0)


def test_load_reads_what_was_saved(tmp_path: Path) -> None:
    save_spec(tmp_path, Spec("east", 7, nodes=2))
    assert load(tmp_path) == Layout("east", 7, tmp_path)

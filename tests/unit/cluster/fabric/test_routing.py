"""Which nodes get a load balancer's packets."""

from __future__ import annotations

from pathlib import Path

import pytest

from lateen.cluster.fabric.routing import route_commands, serving_nodes
from lateen.cluster.layout import Layout
from lateen.cluster.objects import Obj

LAYOUT = Layout("c", 3, Path("/nowhere"))


def node(number: int, ready: bool = True) -> Obj:
    status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    return {"metadata": {"name": f"c-node-{number}"}, "status": status}


NODES = [node(1), node(2), node(3, ready=False), {"metadata": {"name": "foreign"}}]


@pytest.mark.parametrize(
    ("policy", "endpoints", "expected"),
    [
        ("Cluster", [], [1, 2]),
        ("Local", [("c-node-2", True)], [2]),
        ("Local", [("c-node-2", False), ("c-node-1", True)], [1]),
        ("Local", [("c-node-3", True)], [3]),
        ("Local", [], [1, 2, 3]),
    ],
)
def test_serving_nodes(policy: str, endpoints: list[tuple[str, bool]], expected: list[int]) -> None:
    slices = [{"endpoints": [{"nodeName": name, "conditions": {"ready": ready}} for name, ready in endpoints]}]
    assert serving_nodes(LAYOUT, {"spec": {"externalTrafficPolicy": policy}}, slices, NODES) == expected


def test_routes_over_one_or_several_nodes() -> None:
    host, router = route_commands(LAYOUT, ["10.67.1.1"], [1])
    assert host == ["route replace 10.67.1.1/32 via 10.67.0.11 dev lateen3"]
    assert router == ["route replace 10.67.1.1/32 via 10.67.0.11 dev fabric"]
    host, _ = route_commands(LAYOUT, ["fd6c:6174:3:fb00::1"], [1, 2])
    hops = "nexthop via fd6c:6174:3:fa00::b dev lateen3 nexthop via fd6c:6174:3:fa00::c dev lateen3"
    assert host == [f"route replace fd6c:6174:3:fb00::1/128 {hops}"]

from __future__ import annotations

from typing import Any

import pytest

from lateen.cluster.controllers.endpoints.endpoints import subsets
from lateen.cluster.controllers.endpoints.members import member


def service(**spec: Any) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": "web"}, {"name": "raw", "port": 9, "protocol": "UDP"}]
    spec = {"selector": {"app": "x"}, "ports": ports, "ipFamilies": ["IPv4", "IPv6"], **spec}
    return {"metadata": {"name": "svc", "namespace": "ns", "uid": "s"}, "spec": spec}


@pytest.fixture
def containers() -> list[dict[str, Any]]:
    return [{"name": "c", "image": "i", "ports": [{"name": "web", "containerPort": 8080}]}]


def test_named_ports_hostname_zone_and_families(make_pod: Any, make_node: Any, containers: Any) -> None:
    pod = make_pod("a", containers=containers, hostname="a", subdomain="svc")
    pod["status"]["podIPs"].append({"ip": "fd00::1"})
    found = member(service(), pod, make_node("n1", labels={"topology.kubernetes.io/zone": "z"}), "IPv6")
    assert found is not None
    assert [(p.name, p.protocol, p.number) for p in found.ports] == [("http", "TCP", 8080), ("raw", "UDP", 9)]
    assert found.endpoint == {
        "addresses": ["fd00::1"],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "targetRef": {"kind": "Pod", "namespace": "ns", "name": "a", "uid": "uid-a"},
        "nodeName": "n1",
        "zone": "z",
        "hostname": "a",
    }


@pytest.mark.parametrize(
    ("pod", "publish", "expected"),
    [
        ({}, False, (True, True, False)),
        ({"ready": False}, False, (False, False, False)),
        ({"ready": False}, True, (True, False, False)),
        ({"deleting": True}, False, (False, True, True)),
        ({"deleting": True, "ready": False}, True, (True, False, True)),
    ],
)
def test_conditions(make_pod: Any, pod: Any, publish: bool, expected: Any) -> None:
    found = member(service(publishNotReadyAddresses=publish), make_pod("a", **pod), None, "IPv4")
    assert found is not None
    assert tuple(found.endpoint["conditions"].values()) == expected


def test_pods_that_have_no_address_or_are_over_are_no_members(make_pod: Any) -> None:
    assert member(service(), make_pod("a", ip=""), None, "IPv4") is None
    assert member(service(), make_pod("a", phase="Succeeded"), None, "IPv4") is None
    assert member(service(), make_pod("a"), None, "IPv6") is None


def test_endpoints_separate_ready_and_group_by_ports(make_pod: Any, containers: Any) -> None:
    members = [
        make_pod("a", ip="10.0.0.2", containers=containers),
        make_pod("b", ip="10.0.0.1", containers=containers, ready=False),
        make_pod("c", ip="10.0.0.3", containers=containers, deleting=True),
        make_pod("d", ip="10.0.0.4"),
    ]
    found = subsets(service(), members)
    shown = [
        ([p["port"] for p in s["ports"]], [a["ip"] for a in s.get("addresses", ())],
         [a["ip"] for a in s.get("notReadyAddresses", ())])
        for s in found
    ]  # fmt: skip
    assert shown == [([8080, 9], ["10.0.0.2"], ["10.0.0.1"]), ([9], ["10.0.0.4"], [])]

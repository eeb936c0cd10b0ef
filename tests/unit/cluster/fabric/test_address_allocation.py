"""Load balancer addresses: stable, unique, as wished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lateen.cluster.fabric.address_allocation import AddressAllocator, AllocationError
from lateen.cluster.layout import Layout
from lateen.cluster.objects import Key, Obj

LAYOUT = Layout("c", 3, Path("/nowhere"))


def service(name: str, *ips: str, **spec: Any) -> Obj:
    ingress = [{"ip": ip} for ip in ips]
    return {
        "metadata": {"namespace": "d", "name": name},
        "spec": {"ipFamilies": ["IPv4", "IPv6"], **spec},
        "status": {"loadBalancer": {"ingress": ingress}},
    }


def test_one_address_per_family_and_the_same_again() -> None:
    allocator = AddressAllocator(LAYOUT)
    first = allocator.allocate(service("a"))
    assert first == ["10.67.1.1", "fd6c:6174:3:fb00::1"]
    assert allocator.allocate(service("a")) == first
    assert not set(allocator.allocate(service("b"))) & set(first)
    assert sorted(allocator.free(Key("d", "a"))) == sorted(first)
    assert allocator.allocate(service("c")) == first


def test_addresses_come_back_from_statuses() -> None:
    allocator = AddressAllocator(LAYOUT)
    allocator.restore([service("a", "10.67.1.1", "198.51.100.1")])
    assert allocator.owned(Key("d", "a")) == ["10.67.1.1"]
    assert allocator.allocate(service("b", ipFamilies=["IPv4"])) == ["10.67.1.2"]


def test_wishes() -> None:
    allocator = AddressAllocator(LAYOUT)
    assert allocator.allocate(service("a", loadBalancerIP="10.67.1.50"))[0] == "10.67.1.50"
    with pytest.raises(AllocationError, match="belongs to Service d/a"):
        allocator.allocate(service("b", loadBalancerIP="10.67.1.50"))
    with pytest.raises(AllocationError, match="is not in the load balancer ranges"):
        allocator.allocate(service("b", loadBalancerIP="192.0.2.1"))
    assert allocator.owned(Key("d", "b")) == []


def test_the_range_ends() -> None:
    allocator = AddressAllocator(LAYOUT)
    for number in range(254):
        allocator.allocate(service(f"s{number}", ipFamilies=["IPv4"]))
    with pytest.raises(AllocationError, match="no load balancer address is left"):
        allocator.allocate(service("late", ipFamilies=["IPv4"]))

"""Addresses are given out in turn, never twice, and remembered."""

from __future__ import annotations

import tempfile
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.node.network.ipam import AddressesExhausted, AddressPool

IPV4, IPV6 = IPv4Network("10.128.1.0/29"), IPv6Network("fd00::/64")


def test_in_turn_and_both_families_alike(tmp_path: Path) -> None:
    pool = AddressPool(tmp_path / "new", IPV4, IPV6)
    first = pool.allocate("a")
    assert (str(first.ipv4), str(first.ipv6)) == ("10.128.1.2", "fd00::2")
    assert pool.allocate("a") == first
    pool.free("a")
    # The freed one comes again only when the others were had.
    assert [pool.allocate(name).offset for name in "bcdef"] == [3, 4, 5, 6, 2]
    with pytest.raises(AddressesExhausted, match=r"10\.128\.1\.0/29"):
        pool.allocate("g")
    pool.free("nobody")


OPERATIONS = st.lists(st.tuples(st.sampled_from(["allocate", "free", "restart"]), st.sampled_from("abcdefgh")))


@given(OPERATIONS)
def test_no_address_has_two_owners_and_a_restart_changes_nothing(operations: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        pool = AddressPool(Path(directory), IPV4, IPV6)
        held: dict[str, int] = {}
        for operation, owner in operations:
            if operation == "restart":
                pool = AddressPool(Path(directory), IPV4, IPV6)
            elif operation == "free":
                pool.free(owner)
                held.pop(owner, None)
            elif owner in held or len(held) < 5:
                offset = pool.allocate(owner).offset
                assert held.setdefault(owner, offset) == offset
            else:
                with pytest.raises(AddressesExhausted):
                    pool.allocate(owner)
            assert len(set(held.values())) == len(held)
            assert pool.owners() == held.keys()
            assert all(2 <= offset <= 6 for offset in held.values())

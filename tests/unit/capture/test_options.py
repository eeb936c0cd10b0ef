from __future__ import annotations

import grp
import pwd
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from lateen.capture import options
from lateen.capture.capture import Owners, PortRange


def test_ports_and_ranges_are_merged_and_in_order() -> None:
    assert options.ports("443, 80,8000:8010,8005-8020,81") == (
        PortRange(80, 81),
        PortRange(443, 443),
        PortRange(8000, 8020),
    )
    assert options.ports("") == ()


def test_a_star_is_all() -> None:
    assert options.all_or_ports("*") is None
    assert options.all_or_ports("") == ()
    assert options.all_or_networks("*") is None
    assert options.all_or_networks("10.0.0.0/8") == (ip_network("10.0.0.0/8"),)


def test_networks_of_both_families_are_merged_and_in_order() -> None:
    found = options.networks("fd00::/64,10.1.0.0/16,10.0.0.0/16,10.1.2.3,192.0.2.7/24,fd01::1")
    assert [str(each) for each in found] == ["10.0.0.0/15", "192.0.2.0/24", "fd00::/64", "fd01::1/128"]


def test_users_and_groups_go_by_number_or_name() -> None:
    user, group = pwd.getpwuid(0).pw_name, grp.getgrgid(0).gr_name
    assert options.user_ids(f"1337,{user},1337") == (1337, 0)
    assert options.group_ids(f"{group},2000") == (0, 2000)
    assert options.proxy_user(user, 1337) == 0
    assert options.proxy_user("nobody-has-this-name", 1337) == 1337


def test_owner_groups() -> None:
    assert options.owners("*", "") == Owners()
    assert options.owners("*", "7,8") == Owners((7, 8), excluded=True)
    assert options.owners("7", "") == Owners((7,), excluded=False)
    assert options.owners("", "") == Owners((), excluded=False)
    with pytest.raises(ValueError, match="not both"):
        options.owners("7", "8")


def test_interfaces_may_end_in_a_plus() -> None:
    assert options.interfaces("eth0,veth+,eth0") == ("eth0", "veth+")


def test_marks_are_decimal_or_hexadecimal() -> None:
    assert options.mark("1337") == options.mark("0x539") == 1337


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (options.ports, "80,http", "'http' is no port"),
        (options.ports, "0", "'0' is no port"),
        (options.ports, "65536", "'65536' is no port"),
        (options.ports, "90:80", "'90:80' ends before it begins"),
        (options.ports, "*", "no port"),
        (options.networks, "10.0.0.0/33", "CIDR form"),
        (options.networks, "*", "CIDR form"),
        (options.loopback, "10.0.0.0/8", "within 127.0.0.0/8"),
        (options.loopback, "127.0.0.1,127.0.0.3", "within 127.0.0.0/8"),
        (options.interfaces, 'eth0" accept', "no name of a network interface"),
        (options.interfaces, "a-name-that-is-too-long", "no name of a network interface"),
        (options.user_ids, "nobody-has-this-name", "there is no user"),
        (options.group_ids, "nobody-has-this-name", "there is no group"),
        (options.mark, "0", "packet mark"),
        (options.mark, "red", "packet mark"),
        (options.route_table, "-1", "routing table"),
    ],
)
def test_what_is_wrong_is_said(read: Callable[[str], Any], text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("*", r"\*")):
        read(text)

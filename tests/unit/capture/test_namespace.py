from __future__ import annotations

from ipaddress import ip_address

import pytest

from lateen.capture.namespace import enter, has_ipv6, name_servers
from lateen.capture.programs import CaptureError

LOOPBACK = "00000000000000000000000000000001 01 80 10 80       lo\n"
OURS = "00000000000000000000000000000006 01 80 80 80       lo\n"
LINK_LOCAL = "fe800000000000000000000000000001 02 40 20 80     eth0\n"
GLOBAL = "fd000000000000000000000000000001 02 40 00 80     eth0\n"


def test_ipv6_is_there_when_an_interface_has_a_global_address() -> None:
    assert not has_ipv6("")
    assert not has_ipv6(LOOPBACK + OURS + LINK_LOCAL)
    assert has_ipv6(LOOPBACK + LINK_LOCAL + GLOBAL)


def test_name_servers_of_both_families() -> None:
    text = "search a.b\n# nameserver 1.1.1.1\nnameserver 10.0.0.10\nnameserver fe80::1%eth0\nnameserver 10.0.0.10\n"
    assert name_servers(text) == (ip_address("10.0.0.10"), ip_address("fe80::1"))
    with pytest.raises(CaptureError, match="example is no address"):
        name_servers("nameserver example\n")


def test_a_namespace_that_is_not_there() -> None:
    with pytest.raises(CaptureError, match="/nowhere: No such file"):
        enter("/nowhere")

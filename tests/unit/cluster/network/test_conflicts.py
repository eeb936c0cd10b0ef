"""Ranges that this machine uses already."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lateen.cluster.layout import Layout
from lateen.cluster.network.conflicts import find_conflicts, port_is_free
from lateen.cluster.network.resolvers import parse_resolv_conf

LAYOUT = Layout("c", 3, Path("/nowhere"))


@pytest.mark.parametrize(
    ("destination", "count"),
    [
        ("default", 0),
        ("0.0.0.0/0", 0),
        ("192.0.2.0/24", 0),
        ("10.68.0.0/24", 0),
        ("10.67.0.0/24", 1),
        ("10.67.0.0/16", 2),
        ("10.0.0.0/8", 4),
        ("10.131.5.9", 1),
        ("fd6c:6174:3:ff00::/112", 1),
        ("fe80::/64", 0),
        ("ff00::/8", 0),
    ],
)
def test_routes(destination: str, count: int) -> None:
    assert len(find_conflicts(LAYOUT, [{"dst": destination, "dev": "eth0"}], [])) == count


def test_name_servers() -> None:
    assert find_conflicts(LAYOUT, [], ["10.195.0.53", "192.0.2.53"]) == [
        "10.195.0.0/16 holds the name server 10.195.0.53"
    ]


def test_resolv_conf() -> None:
    text = "search x\nnameserver 192.0.2.1\n# nameserver 192.0.2.2\nnameserver fe80::1%eth0\nnameserver nonsense\n"
    assert parse_resolv_conf(text).servers == ["192.0.2.1", "fe80::1%eth0"]


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_somebody_listens_on_is_not_free(address: str) -> None:
    with socket.create_server((address, 0)) as listener:
        port = listener.getsockname()[1]
        assert not port_is_free(port)
    assert port_is_free(port)

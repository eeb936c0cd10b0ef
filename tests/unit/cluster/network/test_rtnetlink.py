"""What the kernel answers to requests that change nothing; tests/cluster/network has those that do."""

from __future__ import annotations

import errno
import socket

import pytest

from lateen.cluster.network.rtnetlink import RouteSocket


def test_interfaces_are_found_by_name() -> None:
    with RouteSocket() as routes:
        assert {name: routes.index(name) for _, name in socket.if_nameindex()} == {
            name: index for index, name in socket.if_nameindex()
        }


def test_what_is_not_there_is_said_by_name() -> None:
    with RouteSocket() as routes:
        with pytest.raises(OSError, match="no-such") as raised:
            routes.index("no-such")
        assert raised.value.errno == errno.ENODEV
        # The answer to a failed request is not taken for the next one's.
        assert routes.index("lo") == 1

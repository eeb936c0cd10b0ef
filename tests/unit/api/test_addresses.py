from __future__ import annotations

import pytest

from lateen.api.addresses import unmapped


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:a00:1", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_ipv4_within_ipv6_is_ipv4(address: str, plain: str) -> None:
    assert unmapped(address) == plain

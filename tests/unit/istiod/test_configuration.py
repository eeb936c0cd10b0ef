from __future__ import annotations

import pytest

from lateen.istiod.configuration import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        (":8080", Address("0.0.0.0", 8080), "0.0.0.0:8080"),
        ("127.0.0.1:0", Address("127.0.0.1", 0), "127.0.0.1:0"),
        ("[::1]:15010", Address("::1", 15010), "[::1]:15010"),
        ("localhost:1", Address("localhost", 1), "localhost:1"),
    ],
)
def test_addresses(text: str, address: Address, shown: str) -> None:
    assert parse_address(text) == address
    assert str(address) == shown


@pytest.mark.parametrize("text", ["", "8080", "host:", "host:x", "host:65536", "::1:80", "host:-1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_address(text)

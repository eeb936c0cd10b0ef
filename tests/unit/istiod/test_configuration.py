from __future__ import annotations

import pytest

from lateen.istiod.configuration import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
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


@pytest.mark.parametrize(("both", "shown"), [(True, "[::]:8080"), (False, "0.0.0.0:8080")])
def test_every_address_is_of_both_families_where_the_kernel_has_them(
    monkeypatch: pytest.MonkeyPatch, both: bool, shown: str
) -> None:
    monkeypatch.setattr("socket.has_dualstack_ipv6", lambda: both)
    assert str(parse_address(":8080")) == shown

from __future__ import annotations

import pytest

from lateen.api.schema.hostnames import is_dns_label, wrong_address, wrong_fqdn, wrong_unix_address, wrong_wildcard_host


@pytest.mark.parametrize("name", ["a", "a.b.c", "A-1.example.com", "example.com.", "a" * 63 + ".com"])
def test_host_names(name: str) -> None:
    assert wrong_fqdn(name) == ""


@pytest.mark.parametrize("name", ["", "a..b", "-a.b", "a-.b", "a_b.c", "*.b", "1.2.3.4", "a" * 64 + ".com", "a." * 128])
def test_what_is_no_host_name_is_told(name: str) -> None:
    assert wrong_fqdn(name)


@pytest.mark.parametrize("name", ["*", "*.example.com", "*-a.example.com", "*a.example.com", "a.b"])
def test_wildcards_in_the_first_label(name: str) -> None:
    assert wrong_wildcard_host(name) == ""


@pytest.mark.parametrize("name", ["a*.b", "*-.b", "a.*.b", "*.", "**.b", ""])
def test_wildcards_nowhere_else(name: str) -> None:
    assert wrong_wildcard_host(name)


def test_labels_addresses_and_sockets() -> None:
    assert is_dns_label("a-1")
    assert not is_dns_label("a.b")
    assert wrong_address("::1") == wrong_address("10.0.0.1") == ""
    assert wrong_address("10.0.0.256")
    assert wrong_unix_address("/run/x.sock") == wrong_unix_address("@x") == ""
    assert [bool(wrong_unix_address(path)) for path in ("", "run/x", "/run/")] == [True, True, True]

from __future__ import annotations

from lateen.model.chain_conditions import address_ranges, server_names


def test_server_names_are_lower_case_distinct_and_have_whole_wildcards() -> None:
    assert server_names(["A.com", "a.com", "*.b.com", "*-c.com", "*"]) == ("a.com", "*.b.com")


def test_address_ranges_are_distinct_without_excess_bits() -> None:
    given = ["10.7.3.1/16", "10.7.0.0/16", "10.8.0.1", "fd00::1/64", "nonsense"]
    assert address_ranges(given) == ("10.7.0.0/16", "10.8.0.1/32", "fd00::/64")

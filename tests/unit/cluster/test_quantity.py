from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.quantity import Quantity, canonical, parse


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("100Mi", "100Mi"),
        ("128974848", "128974848"),
        ("129e6", "129e6"),
        ("129M", "129M"),
        ("2000", "2k"),
        ("512Ki", "512Ki"),
        ("0.1Ki", "102400m"),
        ("1n", "1n"),
        ("0.1n", "1n"),
        ("-1", "-1"),
        (".5", "500m"),
        ("5.", "5"),
        (2, "2"),
        (0.5, "500m"),
        ("0", "0"),
    ],
)
def test_prints_canonically(text: object, shown: str) -> None:
    assert str(parse(text)) == shown


@pytest.mark.parametrize("text", ["", "1x", "1.2.3", "Mi", "1mi", "--1", "1e999", "1" * 200, None, True, []])
def test_refuses_what_is_no_quantity(text: object) -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        parse(text)
    assert canonical(text) == text


_quantities = st.builds(
    Quantity, st.integers(-(10**24), 10**24), st.sampled_from(["DecimalSI", "BinarySI", "DecimalExponent"])
)


@given(_quantities)
def test_what_is_printed_reads_back(quantity: Quantity) -> None:
    assert parse(str(quantity)) == quantity


@given(_quantities, _quantities)
def test_order_and_sums_are_those_of_the_amounts(a: Quantity, b: Quantity) -> None:
    assert (a < b) == (a.nano < b.nano)
    assert (a + b).nano == a.nano + b.nano
    assert (a + b) - b == a
    assert a.value * 10**9 >= a.nano > (a.value - 1) * 10**9

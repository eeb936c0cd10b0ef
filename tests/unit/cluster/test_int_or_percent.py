from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.int_or_percent import is_zero, percent, resolve


@pytest.mark.parametrize(
    ("value", "up", "down"),
    [(3, 3, 3), ("25%", 2, 1), ("100%", 5, 5), ("0%", 0, 0), (None, 0, 0), ("x", 0, 0), ("7", 0, 0), (True, 0, 0)],
)
def test_of_five(value: Any, up: int, down: int) -> None:
    assert (resolve(value, 5, round_up=True), resolve(value, 5, round_up=False)) == (up, down)


@given(st.integers(0, 100), st.integers(0, 10**6))
def test_rounding_differs_by_one_at_most(share: int, total: int) -> None:
    up, down = (resolve(f"{share}%", total, round_up=way) for way in (True, False))
    assert 0 <= up - down <= 1
    assert down * 100 <= share * total <= up * 100


def test_reads_percentages() -> None:
    assert [percent(v) for v in ("5%", "5", 5, "-5%", "5%%", "9" * 20 + "%")] == [5, None, None, None, None, None]
    assert is_zero(0)
    assert is_zero("0%")
    assert not is_zero("1%")

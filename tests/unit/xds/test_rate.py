"""Token buckets: what is quick waits, what is costly waits longer, and nobody waits for ever."""

from __future__ import annotations

from lateen.xds.rate import Rate, Rates


def test_a_costly_request_counts_for_several() -> None:
    rate = Rate(10, 5, 0.0)
    assert rate.take(0.0, 4) == 0
    assert rate.take(0.0, 3) == 0.2
    assert rate.take(0.2) == 0.1


def test_nobody_waits_longer_than_the_longest() -> None:
    rate = Rate(1, 1, 0.0, longest=3)
    assert [rate.take(0.0) for _ in range(6)] == [0, 1, 2, 3, 3, 3]
    assert rate.take(3.0) == 1


def test_each_has_a_rate_of_its_own() -> None:
    rates = Rates(1, 2, 10)
    assert [rates.take("a", 0.0) for _ in range(3)] == [0, 0, 1]
    assert rates.take("b", 0.0) == 0


def test_those_that_are_long_gone_are_forgotten() -> None:
    rates = Rates(1, 2, 10)
    for number in range(10_000):
        rates.take(number, number / 10)
    assert len(rates) <= 1_000
    assert [rates.take(9_999, 999.9) for _ in range(2)] == [0, 1]

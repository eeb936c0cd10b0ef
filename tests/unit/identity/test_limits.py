from __future__ import annotations

from lateen.identity.limits import KeyedRate


def test_a_burst_and_then_a_rate() -> None:
    rate = KeyedRate(per_second=0.5, burst=2, remembered=10)
    assert [rate.take("a", 0.0) for _ in range(3)] == [0.0, 0.0, 2.0]
    assert rate.take("a", 1.0) == 1.0
    assert rate.take("a", 2.0) == 0.0
    assert rate.take("a", 2.0) == 2.0


def test_what_is_refused_is_not_counted() -> None:
    rate = KeyedRate(1.0, 1, 10)
    rate.take("a", 0.0)
    for _ in range(100):
        assert rate.take("a", 0.5) == 0.5
    assert rate.take("a", 1.0) == 0.0


def test_looking_counts_nothing() -> None:
    rate = KeyedRate(1.0, 1, 10)
    assert [rate.wait("a", 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    rate.take("a", 0.0)
    assert rate.wait("a", 0.25) == 0.75


def test_keys_do_not_hinder_one_another() -> None:
    rate = KeyedRate(1.0, 1, 10)
    assert [rate.take(key, 0.0) for key in "abcabc"] == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]


def test_unused_time_is_no_more_than_a_burst() -> None:
    rate = KeyedRate(1.0, 2, 10)
    rate.take("a", 0.0)
    assert [rate.take("a", 1e6) for _ in range(3)] == [0.0, 0.0, 1.0]


def test_who_was_quiet_for_longest_is_forgotten_first() -> None:
    rate = KeyedRate(0.001, 1, remembered=2)
    for key in ("a", "b", "a", "c"):
        rate.take(key, 0.0)
    assert rate.take("a", 0.0) > 0
    assert rate.take("b", 0.0) == 0.0

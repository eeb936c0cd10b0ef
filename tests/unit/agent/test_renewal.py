from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.agent.renewal import MAX_RETRY_AFTER, longest_wait, renewal_time, retry_wait

_CHANCES = st.floats(0, 1)


@pytest.mark.parametrize(("chance", "expected"), [(0, 151), (0.5, 150), (1, 149)])
def test_half_of_its_life_is_left_give_or_take(chance, expected):
    assert renewal_time(100, 200, ratio=0.5, jitter=0.01, chance=chance) == expected


@given(st.floats(0, 1e9), st.floats(0, 1e8), st.floats(0, 1), st.floats(0, 1), _CHANCES)
def test_always_within_its_life(begin, life, ratio, jitter, chance):
    assert begin <= renewal_time(begin, begin + life, ratio=ratio, jitter=jitter, chance=chance) <= begin + life


@given(st.integers(1, 10_000), st.floats(0, 1e6), _CHANCES)
def test_waits_are_bounded_and_not_shorter_than_asked_for(failures, retry_after, chance):
    wait = retry_wait(failures, retry_after, chance)
    assert 0.25 <= wait <= max(30, MAX_RETRY_AFTER * 1.25)
    assert wait >= min(retry_after, MAX_RETRY_AFTER)


def test_waits_double():
    assert [retry_wait(failures, 0, 0) for failures in (1, 2, 3, 10)] == [0.5, 1, 2, 30]


@pytest.mark.parametrize(("left", "expected"), [(43_200, 30), (100, 25), (20, 8), (0, 8), (-5, 8)])
def test_the_end_of_a_short_life_is_not_slept_through(left, expected):
    assert longest_wait(left) == expected
    assert retry_wait(10, 0, 0, longest=longest_wait(left)) == expected

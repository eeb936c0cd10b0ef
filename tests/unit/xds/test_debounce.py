from __future__ import annotations

import pytest

from lateen.xds.debounce import Debounce, Pace
from lateen.xds.rate import Rate

PACE = Pace(quiet=1, longest=5)


def test_without_a_change_there_is_nothing_to_push() -> None:
    assert Debounce(PACE).due() is None


def test_a_change_when_all_is_quiet_goes_out_at_once() -> None:
    debounce = Debounce(PACE)
    debounce.changed(10)
    assert debounce.due() == 10
    debounce.begun()
    debounce.ended(10, 0)
    assert debounce.due() is None
    debounce.changed(11)
    assert debounce.due() == 11


def test_a_change_right_after_a_push_waits_for_a_pause() -> None:
    debounce = Debounce(PACE)
    debounce.ended(10, 0)
    debounce.changed(10.5)
    assert debounce.due() == 11.5
    debounce.changed(11)
    assert debounce.due() == 12


def test_changes_that_never_pause_wait_no_longer_than_the_longest() -> None:
    debounce = Debounce(PACE)
    debounce.ended(10, 0)
    for tenth in range(100, 200, 5):
        debounce.changed(tenth / 10)
    assert debounce.due() == 15


def test_pushing_takes_no_more_than_half_of_the_time() -> None:
    debounce = Debounce(PACE)
    debounce.ended(10, took=8)
    debounce.changed(12)
    assert debounce.due() == 18


def test_what_comes_during_a_push_is_for_the_next_one() -> None:
    debounce = Debounce(PACE)
    debounce.changed(10)
    debounce.begun()
    debounce.changed(10.1)
    debounce.ended(10.2, 0.2)
    assert debounce.due() == pytest.approx(11.1)


def test_a_burst_is_free_and_what_is_beyond_waits() -> None:
    rate = Rate(per_second=10, burst=3, now=0)
    assert [rate.take(0) for _ in range(3)] == [0, 0, 0]
    assert rate.take(0) == pytest.approx(0.1)
    assert rate.take(10) == 0

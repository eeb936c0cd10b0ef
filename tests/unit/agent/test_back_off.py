from __future__ import annotations

import pytest

from lateen.agent.back_off import back_off


@pytest.mark.parametrize(("ends", "seconds"), [(0, 0), (1, 0), (2, 1), (3, 2), (6, 16), (7, 30), (100_000, 30)])
def test_waits_are_bounded_however_often_it_ends(ends: int, seconds: float) -> None:
    assert back_off(ends) == seconds

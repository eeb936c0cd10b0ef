from __future__ import annotations

from lateen.sources.backoff import Backoff, BackoffLimits


def test_delays_double_up_to_the_limit_and_are_spread() -> None:
    backoff = Backoff(BackoffLimits(first=1.0, limit=8.0))
    for most in (1.0, 2.0, 4.0, 8.0, 8.0, 8.0):
        assert most / 2 <= backoff.next() <= most
    backoff.reset()
    assert backoff.next() <= 1.0

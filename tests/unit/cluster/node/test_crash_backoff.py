from __future__ import annotations

from lateen.cluster.node.crash_backoff import CrashBackoff


def test_the_first_restart_is_at_once_then_delays_double_to_five_minutes() -> None:
    backoff, now, delays = CrashBackoff(), 0.0, []
    for _ in range(8):
        delay = backoff.remaining(now, now)
        delays.append(delay)
        now += delay
        backoff.next(now)
    assert delays == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_long_run_forgets() -> None:
    backoff = CrashBackoff()
    for at in (0.0, 10.0, 30.0):
        backoff.next(at)
    assert backoff.remaining(30.0 + 601.0, 632.0) == 0
    backoff.next(632.0)
    assert backoff.delay == 10.0

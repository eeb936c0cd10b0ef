"""How long to wait before what has ended is started again: pure, and without imports, since the keeper has few."""

__all__ = ["back_off"]

_LONGEST = 30.0


def back_off(ends: int) -> float:
    """Seconds after so many ends in a row: none after the first, then 1, 2, 4 up to 30."""
    return 0.0 if ends <= 1 else min(2.0 ** min(ends - 2, 10), _LONGEST)

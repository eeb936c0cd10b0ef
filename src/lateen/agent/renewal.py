"""When certificates are renewed and failures are tried again: pure. Times are seconds."""

from __future__ import annotations

from typing import Final

__all__ = ["LONGEST_WAIT", "MAX_RETRY_AFTER", "longest_wait", "renewal_time", "retry_wait"]

_FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 30.0
_LONGEST_WITHOUT: Final = 8.0
"""While there is no certificate that is valid: an application may be waiting."""
MAX_RETRY_AFTER: Final = 300.0
"""What an authority may ask for."""


def renewal_time(begin: float, end: float, *, ratio: float, jitter: float, chance: float) -> float:
    """When a certificate that is valid from `begin` to `end` is renewed: when `ratio` of its life is left, give or take
    `jitter` of it. `chance`, from 0 to 1, says where between.
    """
    life = max(end - begin, 0.0)
    left = min(max(ratio + jitter * (2 * chance - 1), 0.05), 0.95)
    return end - life * left


def longest_wait(left: float) -> float:
    """How long to wait at most for the next try, when the certificate is valid for so long still: an authority that is
    back in time should be asked in time. 0 or less: there is none that is valid.
    """
    return min(max(left / 4, _LONGEST_WITHOUT), LONGEST_WAIT)


def retry_wait(failures: int, retry_after: float, chance: float, *, longest: float = LONGEST_WAIT) -> float:
    """How long to wait after so many failures in a row: twice as long each time, less up to a half of it by chance, and
    not less than the authority asks for."""
    wait = min(_FIRST_WAIT * 2.0 ** min(failures - 1, 16), longest)
    return max(wait * (1 - chance / 2), min(retry_after, MAX_RETRY_AFTER) * (1 + chance / 4))

"""Whoever fails again and again to prove who it is, is not listened to for a while: proofs are dear to look at."""

from __future__ import annotations

import time
from collections.abc import Callable

from lateen.identity.caller import Authenticator, Caller, CannotVerify, Evidence, Refused
from lateen.identity.limits import KeyedRate, RefusalLimits


class TooManyRefusals(CannotVerify):
    """`wait`: seconds to stay away."""

    def __init__(self, wait: float) -> None:
        super().__init__("too many calls without proof of an identity")
        self.wait = wait


class Throttled:
    """Asks `ways`, unless the caller's address has failed too often. What shares one of these shares its counts."""

    def __init__(
        self,
        ways: Authenticator,
        limits: RefusalLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        limits = limits or RefusalLimits()
        self._ways = ways
        self._clock = clock
        self._refusals = KeyedRate(limits.per_second, limits.burst, limits.remembered)

    async def authenticate(self, evidence: Evidence) -> Caller:
        """Callers without a known address are not counted."""
        address = evidence.address
        if address and (wait := self._refusals.wait(address, self._clock())):
            raise TooManyRefusals(max(1.0, wait))
        try:
            return await self._ways.authenticate(evidence)
        except Refused:
            if address:
                self._refusals.take(address, self._clock())
            raise

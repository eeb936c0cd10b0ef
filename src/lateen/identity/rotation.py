"""Rotation of a self-signed root, so that at no moment two workloads meet that do not trust each other.

    steady      one root, which signs
    announced   a second root is trusted; the first still signs
    retiring    the second signs; the first is still trusted
    steady      the second alone

Every workload renews its certificate before it expires, and learns all trusted roots with it. So once the longest life
of a certificate has passed since a step, every workload has taken that step: none is left without the second root when
that begins to sign, none is left with a certificate of the first when that is no longer trusted. Nothing else needs to
be watched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

import msgspec
from cryptography import x509

from lateen.identity.authority import Authority


class Phase(Enum):
    STEADY = "steady"
    ANNOUNCED = "announced"
    RETIRING = "retiring"


class RotationTerms(msgspec.Struct, frozen=True):
    longest: timedelta = timedelta(days=90)
    """Of which validity certificates are issued at most: `Validity.longest`."""
    lag: timedelta = timedelta(days=1)
    """How long a replica may take to see a step, clocks' differences included; then it must sign no more."""
    renew_before: timedelta = timedelta(days=365)
    """A root that expires within so long is rotated. More than both steps take."""

    @property
    def step(self) -> timedelta:
        """How long until all workloads have taken a step."""
        return self.longest + self.lag


@dataclass(frozen=True, slots=True)
class RootState:
    """What `istio-ca-secret` says."""

    active: Authority
    """The root that signs. Its `roots` are not looked at."""
    incoming: Authority | None = None
    """The root that will sign, trusted already."""
    outgoing: x509.Certificate | None = None
    """The root that has signed, trusted still."""
    since: datetime | None = None
    """When the last step was taken, while there are two roots."""
    others: tuple[x509.Certificate, ...] = ()
    """Trusted besides, since an operator says so."""

    @property
    def phase(self) -> Phase:
        if self.incoming is not None:
            return Phase.ANNOUNCED
        return Phase.RETIRING if self.outgoing is not None else Phase.STEADY

    @property
    def authority(self) -> Authority:
        """To sign with. The active root is the last: there are clients that look at that alone."""
        incoming = self.incoming.certificate if self.incoming is not None else None
        besides = (*self.others, *(each for each in (incoming, self.outgoing) if each is not None))
        roots = tuple(dict.fromkeys(besides))
        active = self.active.anchor
        return replace(self.active, roots=(*(each for each in roots if each != active), active))


def advance(state: RootState, now: datetime, terms: RotationTerms) -> RootState:
    """The next step of a rotation, if its time has come; else the same state."""
    if state.since is None or now < state.since + terms.step:
        return state
    if state.incoming is not None:
        return replace(state, active=state.incoming, incoming=None, outgoing=state.active.anchor, since=now)
    return replace(state, outgoing=None, since=None)


def is_due(state: RootState, now: datetime, terms: RotationTerms) -> bool:
    """Whether a rotation is to begin, since the root gets old."""
    return state.phase is Phase.STEADY and now >= state.active.not_after - terms.renew_before


def begin(state: RootState, incoming: Authority, now: datetime) -> RootState:
    """The first step. Raises ValueError in the middle of a rotation."""
    if state.phase is not Phase.STEADY:
        raise ValueError(f"a rotation is under way: {state.phase.value}")
    return replace(state, incoming=incoming, since=now)

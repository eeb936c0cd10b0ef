"""A rotation of the root, whatever its timing: no two workloads ever meet that do not trust each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from lateen.identity.authority import Authority
from lateen.identity.root_files import from_files, to_files
from lateen.identity.rotation import Phase, RootState, RotationTerms, advance, begin
from lateen.identity.self_signed import self_signed

START = datetime(2030, 1, 1, tzinfo=UTC)
LONGEST, LAG = 20, 4
"""Minutes: no certificate is valid for longer; no replica sees a step later."""
TERMS = RotationTerms(timedelta(minutes=LONGEST), timedelta(minutes=LAG), timedelta(days=365))
ROOTS = [self_signed(START) for _ in range(4)]
END = 6 * (LONGEST + LAG)


class World:
    """What is stored, minute by minute, and every certificate that any replica could have issued."""

    def __init__(self, state: RootState) -> None:
        self._issued: list[tuple[str, frozenset[str]]] = []
        """For each minute: the root that signed, and those that a workload learnt with its certificate."""
        self.put(state)

    def put(self, state: RootState) -> None:
        self.state = state
        self._now = name(state.active), frozenset(map(name_of, state.authority.roots))

    def minute_ends(self) -> None:
        self._issued.append(self._now)

    def alive(self, minute: int) -> set[tuple[str, frozenset[str]]]:
        """Of all workloads that there could be, what was issued to each.

        It got that within the longest life of a certificate, from a replica that was at most LAG behind.
        """
        return set(self._issued[max(0, minute - LONGEST + 1 - LAG) : minute + 1])


def name(root: Authority) -> str:
    return name_of(root.anchor)


def name_of(root: x509.Certificate) -> str:
    return root.subject.rfc4514_string()


@settings(max_examples=150, deadline=None)
@given(starts=st.sets(st.integers(0, END), max_size=3), idle=st.sets(st.integers(0, END), max_size=40))
def test_all_trust_each_other_at_every_moment(starts: set[int], idle: set[int]) -> None:
    """`starts`: when an operator asks for a rotation; `idle`: the minutes in which nobody holds the Lease."""
    incoming = iter(ROOTS[1:])
    world = World(RootState(ROOTS[0]))
    for minute in range(END + 1):
        now = START + timedelta(minutes=minute)
        if minute not in idle:
            state = advance(world.state, now, TERMS)
            if minute in starts and state.phase is Phase.STEADY:
                state = begin(state, next(incoming), now)
            if state != world.state:
                stored = from_files(to_files(state), now).state
                assert stored is not None
                assert stored.authority == state.authority
                world.put(stored)
        world.minute_ends()
        workloads = world.alive(minute)
        assert all(signer in trusted for signer, _ in workloads for _, trusted in workloads), f"minute {minute}"


def test_it_ends_with_the_new_root_alone() -> None:
    state = begin(RootState(ROOTS[0]), ROOTS[1], START)
    seen = []
    for step in range(4):
        seen.append((state.phase, state.authority.certificate, len(state.authority.roots)))
        state = advance(state, START + (step + 1) * TERMS.step, TERMS)
    old, new = ROOTS[0].certificate, ROOTS[1].certificate
    assert seen == [
        (Phase.ANNOUNCED, old, 2),
        (Phase.RETIRING, new, 2),
        (Phase.STEADY, new, 1),
        (Phase.STEADY, new, 1),
    ]

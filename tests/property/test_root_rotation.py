"""A rotation of the root, whatever its timing: no two workloads ever meet that do not trust each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from lateen.identity.authority import Authority
from lateen.identity.root_files import from_files, to_files
from lateen.identity.rotation import Phase, RootState, RotationTerms, advance, begin
from lateen.identity.self_signed import self_signed

START = datetime(2030, 1, 1, tzinfo=UTC)
LONGEST, LAG = 20, 4
"""Minutes. A replica sees a step that late at most; no certificate is valid for longer."""
TERMS = RotationTerms(timedelta(minutes=LONGEST), timedelta(minutes=LAG), timedelta(days=365))
ROOTS = [self_signed(START) for _ in range(4)]
END = 6 * (LONGEST + LAG)


@dataclass
class Workload:
    signer: bytes
    """The root that its certificate comes from."""
    trusted: frozenset[bytes]
    expires: int


class World:
    """Replicas that see the stored state with a delay, and workloads that renew in time with some replica."""

    def __init__(self, state: RootState) -> None:
        self.history = [(0, state)]
        """Since which minute the state has been what."""

    @property
    def state(self) -> RootState:
        return self.history[-1][1]

    def step(self, minute: int, state: RootState) -> None:
        if state != self.state:
            self.history.append((minute, state))

    def seen(self, minute: int, late: int) -> Authority:
        at = max(0, minute - late)
        return next(state for since, state in reversed(self.history) if since <= at).authority

    def certificate(self, minute: int, late: int, life: int) -> Workload:
        authority = self.seen(minute, late)
        return Workload(
            authority.anchor.fingerprint(authority.anchor.signature_hash_algorithm),
            frozenset(each.fingerprint(each.signature_hash_algorithm) for each in authority.roots),
            minute + life,
        )


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Of one workload, its certificates: (when it gets it, how late its replica sees, how long it lives)."""
    minute, found = draw(st.integers(0, END)), []
    while minute <= END:
        life = draw(st.integers(2, LONGEST))
        found.append((minute, draw(st.integers(0, LAG)), life))
        # Renewed at any time before it expires; or not: then the workload is gone when it has expired.
        if draw(st.integers(0, 9)) == 0:
            break
        minute += draw(st.integers(1, life))
    return found


@settings(max_examples=150, deadline=None)
@given(
    workloads=st.lists(lives(), min_size=2, max_size=6),
    starts=st.lists(st.integers(0, END), max_size=3, unique=True),
    kept=st.lists(st.booleans(), min_size=END + 1, max_size=END + 1),
)
def test_all_trust_each_other_at_every_moment(
    workloads: list[list[tuple[int, int, int]]], starts: list[int], kept: list[bool]
) -> None:
    """`starts`: when an operator asks for a rotation; `kept`: in which minutes somebody holds the Lease."""
    incoming = iter(ROOTS[1:])
    world = World(RootState(ROOTS[0]))
    alive: dict[int, Workload] = {}
    for minute in range(END + 1):
        now = START + timedelta(minutes=minute)
        if kept[minute]:
            state = advance(world.state, now, TERMS)
            if minute in starts and state.phase is Phase.STEADY:
                state = begin(state, next(incoming), now)
            stored = from_files(to_files(state), now).state
            assert stored is not None
            assert stored.authority == state.authority
            world.step(minute, stored)
        for index, certificates in enumerate(workloads):
            for at, late, life in certificates:
                if at == minute:
                    alive[index] = world.certificate(minute, late, life)
        alive = {index: each for index, each in alive.items() if each.expires > minute}
        for each in alive.values():
            assert all(other.signer in each.trusted for other in alive.values()), f"minute {minute}"


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

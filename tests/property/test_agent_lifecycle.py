"""Laws of a proxy's life, for whatever may happen in whatever order."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lateen.agent.back_off import back_off
from lateen.agent.lifecycle import (
    Adopted,
    BackOff,
    BackOffOver,
    Certificate,
    DrainAhead,
    Draining,
    DrainingAhead,
    DrainOver,
    End,
    EnvoyEnded,
    Exit,
    Kill,
    Live,
    Phase,
    Start,
    State,
    Stop,
    StopOver,
    step,
)

_STATUSES = st.one_of(st.none(), st.sampled_from([-15, -9, -6, 0, 1, 2, 127]))
_AGES = st.floats(0, 300)
_EVENTS = st.one_of(
    st.builds(Certificate), st.builds(Adopted, st.booleans()), st.builds(Live), st.builds(EnvoyEnded, _STATUSES, _AGES),
    st.builds(BackOffOver), st.builds(End), st.builds(DrainOver), st.builds(StopOver), st.builds(DrainAhead),
)  # fmt: skip


class Life(RuleBasedStateMachine):
    """A world that does what it is told to, and in which anything else may happen meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.envoy = False
        self.asked_to_stop = False
        self.killed = False
        self.ends = 0
        self.timers: list[object] = []
        self.exits: list[int] = []
        self.ever_live = False
        self.drains_ahead = False

    def send(self, event: object) -> None:
        assert not self.exits, "nothing happens after the end"
        self.state, actions = step(self.state, event)
        for action in actions:
            self._do(action)

    def _do(self, action: object) -> None:
        match action:
            case Start():
                assert not self.envoy, "one Envoy at a time"
                assert not self.ends, "none is started once the end has been asked for"
                self.envoy = True
            case BackOff(seconds):
                assert 0 < seconds <= 30
                self.timers.append(BackOffOver())
            case Draining():
                assert self.envoy
                assert self.ends == 1
                assert not self.drains_ahead, "it has drained already"
                self.timers.append(DrainOver())
            case DrainingAhead():
                assert self.envoy
                assert not self.ends, "later it drains for good"
                assert not self.drains_ahead, "once is enough"
                self.drains_ahead = True
            case Stop():
                assert self.envoy
                assert self.ends
                assert not self.asked_to_stop
                self.asked_to_stop = True
                self.timers.append(StopOver())
            case Kill():
                assert self.asked_to_stop, "it had its chance"
                self.killed = True
            case Exit(status):
                assert not self.envoy, "nothing stays behind"
                assert status in (0, 1)
                self.exits.append(status)
            case _:
                raise AssertionError(action)

    @initialize(envoy=st.sampled_from(["none", "running", "live"]))
    def begin(self, envoy: str) -> None:
        """An agent finds an Envoy or none."""
        if envoy != "none":
            self.envoy = True
            self.ever_live = envoy == "live"
            self.send(Adopted(self.ever_live))

    @precondition(lambda self: not self.exits)
    @rule()
    def certificate(self) -> None:
        self.send(Certificate())

    @precondition(lambda self: not self.exits and self.envoy)
    @rule()
    def live(self) -> None:
        if self.state.phase is Phase.RUNNING:
            self.ever_live = True
        self.send(Live())

    @precondition(lambda self: not self.exits and self.envoy)
    @rule(status=_STATUSES, age=_AGES)
    def envoy_ends(self, status: int | None, age: float) -> None:
        self.envoy = self.asked_to_stop = self.drains_ahead = False
        self.send(EnvoyEnded(status, age))
        if self.exits == [1]:
            assert not self.ever_live
            assert status is not None
            assert status > 0

    @precondition(lambda self: not self.exits and self.timers)
    @rule(data=st.data())
    def timer(self, data: st.DataObject) -> None:
        self.send(self.timers.pop(data.draw(st.integers(0, len(self.timers) - 1))))

    @precondition(lambda self: not self.exits)
    @rule()
    def end(self) -> None:
        self.ends += 1
        self.send(End())

    @precondition(lambda self: not self.exits)
    @rule()
    def drain_ahead(self) -> None:
        self.send(DrainAhead())

    @precondition(lambda self: bool(self.exits))
    @rule(event=_EVENTS)
    def after_the_end(self, event: object) -> None:
        assert step(self.state, event) == (self.state, ())

    @invariant()
    def the_state_is_true(self) -> None:
        assert self.state.has_envoy == self.envoy
        assert (self.state.phase is Phase.ENDED) == bool(self.exits)

    def teardown(self) -> None:
        """From wherever it is, the end can be reached: timers run out, and a kill ends an Envoy that does not obey."""
        if self.exits:
            return
        if not self.ends:
            self.ends = 1
            self.send(End())
        for _ in range(10):
            if self.exits:
                return
            if self.killed:
                self.envoy_ends(-9, 1.0)
            elif self.timers:
                self.send(self.timers.pop(0))
        raise AssertionError(f"it does not end: {self.state}")


TestLife = Life.TestCase


@given(st.lists(_EVENTS, max_size=30))
def test_no_order_of_events_is_too_much(events):
    state, exits = State(), 0
    for event in events:
        state, actions = step(state, event)
        exits += sum(isinstance(action, Exit) for action in actions)
        assert exits == int(state.phase is Phase.ENDED)


@given(st.integers(1, 10**9))
def test_waits_grow_up_to_a_bound(ends):
    assert back_off(1) == 0
    assert back_off(ends) <= back_off(ends + 1) <= 30

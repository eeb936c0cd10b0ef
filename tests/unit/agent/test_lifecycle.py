"""The table of docs/lifecycle.md, line by line."""

from __future__ import annotations

import pytest

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

WAITING = State()
YOUNG = State(Phase.RUNNING)
RUNNING = State(Phase.RUNNING, live=True)
DRAINED = RUNNING._replace(drained=True)
BACKING_OFF = State(Phase.BACKING_OFF, live=True, ends=2)
DRAINING = State(Phase.DRAINING, live=True)
STOPPING = State(Phase.STOPPING, live=True)


@pytest.mark.parametrize(
    ("state", "event", "phase", "actions"),
    [
        (WAITING, Certificate(), Phase.RUNNING, (Start(),)),
        (WAITING, Adopted(), Phase.RUNNING, ()),
        (WAITING, End(), Phase.ENDED, (Exit(0),)),
        (YOUNG, EnvoyEnded(1, 0.1), Phase.ENDED, (Exit(1),)),
        (YOUNG, EnvoyEnded(-11, 0.1), Phase.RUNNING, (Start(),)),
        (YOUNG, EnvoyEnded(None, 0.1), Phase.RUNNING, (Start(),)),
        (YOUNG, End(), Phase.STOPPING, (Stop(),)),
        (RUNNING, EnvoyEnded(1, 0.1), Phase.RUNNING, (Start(),)),
        (RUNNING._replace(ends=1), EnvoyEnded(-9, 59), Phase.BACKING_OFF, (BackOff(1),)),
        (RUNNING._replace(ends=3), EnvoyEnded(-9, 59), Phase.BACKING_OFF, (BackOff(4),)),
        (RUNNING._replace(ends=50), EnvoyEnded(-9, 59), Phase.BACKING_OFF, (BackOff(30),)),
        (RUNNING._replace(ends=50), EnvoyEnded(-9, 60), Phase.RUNNING, (Start(),)),
        (RUNNING, End(), Phase.DRAINING, (Draining(),)),
        (RUNNING, Certificate(), Phase.RUNNING, ()),
        (RUNNING, DrainAhead(), Phase.RUNNING, (DrainingAhead(),)),
        (YOUNG, DrainAhead(), Phase.RUNNING, ()),
        (DRAINED, DrainAhead(), Phase.RUNNING, ()),
        (DRAINED, End(), Phase.STOPPING, (Stop(),)),
        (DRAINED, EnvoyEnded(-9, 0.1), Phase.RUNNING, (Start(),)),
        (BACKING_OFF, DrainAhead(), Phase.BACKING_OFF, ()),
        (BACKING_OFF, BackOffOver(), Phase.RUNNING, (Start(),)),
        (BACKING_OFF, End(), Phase.ENDED, (Exit(0),)),
        (DRAINING, DrainOver(), Phase.STOPPING, (Stop(),)),
        (DRAINING, End(), Phase.STOPPING, (Stop(),)),
        (DRAINING, EnvoyEnded(-9, 1), Phase.ENDED, (Exit(0),)),
        (STOPPING, EnvoyEnded(0, 1), Phase.ENDED, (Exit(0),)),
        (STOPPING, StopOver(), Phase.STOPPING, (Kill(),)),
        (STOPPING, End(), Phase.STOPPING, (Kill(),)),
        (STOPPING, DrainOver(), Phase.STOPPING, ()),
        (STOPPING, Live(), Phase.STOPPING, ()),
    ],
)
def test_what_follows(state, event, phase, actions):
    after, found = step(state, event)
    assert (after.phase, found) == (phase, actions)


def test_an_envoy_that_has_answered_has_a_good_bootstrap():
    state, _ = step(YOUNG, Live())
    assert step(state, EnvoyEnded(1, 0.1))[0].phase is Phase.RUNNING


def test_an_envoy_that_was_taken_over_and_has_not_answered_yet():
    state, _ = step(WAITING, Adopted(live=False))
    assert step(state, EnvoyEnded(1, 5))[1] == (Exit(1),)


def test_an_envoy_that_takes_the_place_of_one_that_drained_serves_until_the_end_is_asked_for():
    state, _ = step(DRAINED, EnvoyEnded(-9, 0.1))
    assert step(state, End())[1] == (Draining(),)

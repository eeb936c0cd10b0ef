from __future__ import annotations

import asyncio

from lateen.cluster.node.probes.outcome import Outcome
from lateen.cluster.node.probes.prober import Kind, Prober


async def told_by(kind: Kind, results: list[bool], **probe: int) -> list[bool]:
    """What a probe tells of a run of single results."""
    told: list[bool] = []
    left = list(results)
    done = asyncio.Event()

    async def once(_probe: object) -> Outcome:
        if not left:
            done.set()
            await asyncio.Event().wait()
        return Outcome(left.pop(0), "no")

    prober = Prober(
        kind,
        {"periodSeconds": 0.0001, **probe},
        once,
        lambda _kind, success: told.append(success),
        lambda _kind, _message: None,
    )
    running = asyncio.ensure_future(prober.run(0.0, spread=False))
    waiting = asyncio.ensure_future(done.wait())
    await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    waiting.cancel()
    await asyncio.wait((running, waiting))
    return told


async def test_thresholds_count_in_a_row() -> None:
    results = [False, True, True, False, False, True, False, False, False]
    assert await told_by("Readiness", results, failureThreshold=2, successThreshold=2) == [True, False]


async def test_liveness_ends_with_its_failure_and_startup_with_its_success() -> None:
    assert await told_by("Liveness", [True, False, False, False], failureThreshold=2) == [True, False]
    assert await told_by("Startup", [False, False, True, False], failureThreshold=5) == [True]

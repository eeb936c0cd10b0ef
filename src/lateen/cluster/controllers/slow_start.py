"""Creating many things: in batches that double as long as all goes well.

A quota or a bad template then costs one failed call and not five hundred. Source: k8s.io/kubernetes
`pkg/controller/replicaset` (slowStartBatch).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from lateen.cluster.status import StatusError

T = TypeVar("T")
BURST = 500


async def slow_start(things: Sequence[T], act: Callable[[T], Awaitable[object]], first: int = 1) -> StatusError | None:
    """Calls `act` on each thing, batch by batch; the first failure ends it with its batch, and is given back."""
    done, size = 0, first
    while done < len(things):
        batch = things[done : done + size]
        failures = [failure for failure in await asyncio.gather(*(_attempt(act, thing) for thing in batch)) if failure]
        if failures:
            return failures[0]
        done += len(batch)
        size *= 2
    return None


async def _attempt(act: Callable[[T], Awaitable[object]], thing: T) -> StatusError | None:
    try:
        await act(thing)
    except StatusError as error:
        return error
    return None

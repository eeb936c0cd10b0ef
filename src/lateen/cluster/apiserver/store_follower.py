"""Reconcilers that live in the API server: called for every object there is, and again whenever one changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from lateen.cluster.apiserver.store.event import GroupResource
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.objects import Key
from lateen.cluster.status import StatusError

_log = logging.getLogger(__name__)

Reconcile = Callable[[GroupResource, Key], Awaitable[None]]


async def follow(store: Store, resources: Sequence[GroupResource], reconcile: Reconcile) -> None:
    """Runs until cancelled, or until the store closes. Keys of deleted objects come too.

    A StatusError of `reconcile` is logged (but for conflicts, which the next change settles) and ends nothing.
    """
    async with asyncio.TaskGroup() as tasks:
        for resource in resources:
            tasks.create_task(_follow_one(store, resource, reconcile))


async def _follow_one(store: Store, resource: GroupResource, reconcile: Reconcile) -> None:
    while True:
        with store.watch(resource) as watch:
            for record in store.list(resource).records:
                await _reconcile(reconcile, resource, record.key)
            try:
                async for event in watch:
                    await _reconcile(reconcile, resource, event.key)
                return
            except StatusError as error:
                if error.code != 410:
                    raise


async def _reconcile(reconcile: Reconcile, resource: GroupResource, key: Key) -> None:
    try:
        await reconcile(resource, key)
    except StatusError as error:
        if error.reason not in ("Conflict", "NotFound", "AlreadyExists"):
            _log.warning("%s %s: %s", resource[1], key, error.message)

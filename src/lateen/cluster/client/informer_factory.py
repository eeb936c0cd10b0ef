"""One informer per collection in a process, however many ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TypeAlias

from lateen.cluster.client.api import Client
from lateen.cluster.client.indexed_store import IndexFunction
from lateen.cluster.client.informer import Informer
from lateen.cluster.objects import GVR

_Selection: TypeAlias = tuple[GVR, str, str, str, bool]


class InformerFactory:
    """Shares informers by (resource, namespace, selectors). `run` follows them all, also those asked for later."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._informers: dict[_Selection, Informer] = {}
        self._tasks: dict[_Selection, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    def informer(
        self,
        gvr: GVR,
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        indexes: Mapping[str, IndexFunction] | None = None,
        metadata_only: bool = False,
    ) -> Informer:
        """The shared informer; `indexes` are added to those it has."""
        selection = (gvr, namespace, labels, fields, metadata_only)
        found = self._informers.get(selection)
        if found is None:
            found = self._informers[selection] = Informer(
                self.client, gvr, namespace=namespace, labels=labels, fields=fields, metadata_only=metadata_only
            )
            if self._group is not None:
                self._tasks[selection] = self._group.create_task(found.run())
        for name, function in (indexes or {}).items():
            found.store.add_index(name, function)
        return found

    def find(self, gvr: GVR) -> Informer | None:
        """The informer of all full objects of a resource, if somebody asked for one."""
        return self._informers.get((gvr, "", "", "", False))

    def drop(self, informer: Informer) -> None:
        """Ends an informer that nobody needs any more (its resource is no longer served)."""
        for selection, candidate in list(self._informers.items()):
            if candidate is informer:
                del self._informers[selection]
                task = self._tasks.pop(selection, None)
                if task is not None:
                    task.cancel()

    async def synced(self) -> None:
        """Waits until every informer asked for so far has its first list."""
        for informer in list(self._informers.values()):
            await informer.synced.wait()

    async def run(self) -> None:
        """Follows all collections until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                for selection, informer in self._informers.items():
                    self._tasks[selection] = group.create_task(informer.run())
                await asyncio.Event().wait()
            finally:
                self._group = None
                for task in self._tasks.values():
                    task.cancel()
                self._tasks.clear()

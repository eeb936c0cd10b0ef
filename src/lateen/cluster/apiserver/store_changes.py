"""Tells whether stored collections changed since one last looked: what indexes over the store are rebuilt by."""

from __future__ import annotations

from collections.abc import Sequence

from lateen.cluster.apiserver.store.event import GroupResource
from lateen.cluster.apiserver.store.store import Store
from lateen.cluster.apiserver.store.watch import Watch


class StoreChanges:
    """Exact and synchronous: a write that has been acknowledged is seen by the next `take`."""

    def __init__(self, store: Store, resources: Sequence[GroupResource]) -> None:
        self._store = store
        self._watches: dict[GroupResource, Watch] = {}
        self._resources = resources
        self._lost = True

    def take(self) -> bool:
        """Whether there were changes since the last call; True at the first one."""
        changed = self._lost
        for watch in self._watches.values():
            while watch.take() is not None:
                changed = True
        if self._lost:
            self._open()
        return changed

    def _open(self) -> None:
        self.close()
        self._lost = False
        for resource in self._resources:
            watch = self._watches[resource] = self._store.watch(resource)
            watch.on_overflow = self._overflow

    def _overflow(self) -> None:
        self._lost = True

    def close(self) -> None:
        for watch in self._watches.values():
            watch.close()
        self._watches.clear()

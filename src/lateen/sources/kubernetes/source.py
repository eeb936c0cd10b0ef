"""A cluster as a source: one reflector per kind, each for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from lateen.sources.kubernetes.client import Client
from lateen.sources.kubernetes.discovery import Discovery
from lateen.sources.kubernetes.reflector import Reflector, Timing
from lateen.sources.kubernetes.watched_kind import WatchedKind
from lateen.sources.source import KindName, Sink


class KubernetesSource:
    """`cluster` marks the keys of what is read; empty for the control plane's own cluster."""

    def __init__(
        self, client: Client, kinds: Sequence[WatchedKind], *, cluster: str = "", timing: Timing | None = None
    ) -> None:
        self._client = client
        self._watched = tuple(kinds)
        self._cluster = cluster
        self._timing = timing or Timing()

    @property
    def name(self) -> str:
        return f"kubernetes:{self._cluster}" if self._cluster else "kubernetes"

    @property
    def kinds(self) -> Collection[KindName]:
        return tuple(kind.name for kind in self._watched)

    async def run(self, sink: Sink) -> None:
        discovery = Discovery(self._client)
        async with asyncio.TaskGroup() as group:
            for kind in self._watched:
                reflector = Reflector(self._client, discovery, kind, cluster=self._cluster, timing=self._timing)
                group.create_task(reflector.run(sink), name=f"{self.name} {kind.name}")

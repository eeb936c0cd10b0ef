"""MeshConfig and MeshNetworks from files, followed like manifests."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path

from lateen.sources.files.scan import Settling, scan
from lateen.sources.mesh_settings import FILES, MESH_KEY, NETWORKS_KEY
from lateen.sources.source import Change, KindName, Sink

_INTERVAL_SECONDS = 0.1
_CONFIG_MAP = KindName("", "ConfigMap")


class MeshSettingsSource:
    """Files with the text of MeshConfig, of MeshNetworks, or both. They count instead of the cluster's ConfigMap."""

    def __init__(self, mesh: Path | None, networks: Path | None, *, interval: float = _INTERVAL_SECONDS) -> None:
        self._paths = {path: key for path, key in ((mesh, MESH_KEY), (networks, NETWORKS_KEY)) if path is not None}
        self._interval = interval
        self._settling = Settling()
        self._texts: dict[str, str] = {}
        self._broken: dict[Path, str] = {}
        self._problems: Mapping[Path, str] = {}

    @property
    def name(self) -> str:
        return "mesh settings"

    @property
    def kinds(self) -> Collection[KindName]:
        return (_CONFIG_MAP,)

    async def run(self, sink: Sink) -> None:
        began = True
        while True:
            if await asyncio.to_thread(self._look):
                raw = {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": FILES.name},
                    "data": dict(self._texts),
                }
                origin = ", ".join(map(str, self._paths))
                await sink.apply([Change(_CONFIG_MAP, FILES, raw, origin)])
            for path in self._paths:
                sink.report(str(path), self._problems.get(path, ""))
            if began:
                await sink.synced(_CONFIG_MAP, {FILES})
                began = False
            await asyncio.sleep(self._interval)

    def _look(self) -> bool:
        """Whether some text changed. A file that cannot be read keeps its last text."""
        found = scan(self._paths)
        changed = False
        for path in self._settling.look(found).changed:
            if path not in self._paths:
                continue
            try:
                self._texts[self._paths[path]] = path.read_text()
                self._broken.pop(path, None)
                changed = True
            except (OSError, UnicodeDecodeError) as error:
                self._broken[path] = str(error)
        self._problems = {**self._broken, **found.failures}
        return changed

from __future__ import annotations

import asyncio
from pathlib import Path

from lateen.sources.files.mesh_settings_source import MeshSettingsSource
from lateen.sources.mesh_settings import FILES
from lateen.sources.source import KindName
from lateen.testing.recording_sink import RecordingSink

CONFIG_MAP = KindName("", "ConfigMap")


async def test_files_are_followed_and_keep_their_last_text(tmp_path: Path) -> None:
    mesh, networks = tmp_path / "mesh", tmp_path / "networks"
    mesh.write_text("trustDomain: a")
    sink = RecordingSink()
    task = asyncio.create_task(MeshSettingsSource(mesh, networks, interval=0.03).run(sink))

    def data() -> object:
        return sink.objects.get((CONFIG_MAP, FILES), {}).get("data")

    await sink.until(lambda: sink.synced_kinds == {CONFIG_MAP})
    assert data() == {"mesh": "trustDomain: a"}
    assert sink.problems == {str(networks): "No such file or directory"}
    networks.write_text("networks: {}")
    await sink.until(lambda: data() == {"mesh": "trustDomain: a", "meshNetworks": "networks: {}"})
    assert not sink.problems
    mesh.write_bytes(b"\xff")
    await sink.until(lambda: bool(sink.problems))
    assert data() == {"mesh": "trustDomain: a", "meshNetworks": "networks: {}"}
    mesh.unlink()
    await sink.until(lambda: sink.problems.get(str(mesh)) == "No such file or directory")
    mesh.write_text("trustDomain: b")
    await sink.until(lambda: data() == {"mesh": "trustDomain: b", "meshNetworks": "networks: {}"} and not sink.problems)
    task.cancel()

"""What the node must remember of a sandbox's network to check it and to take it down, through its own restarts."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lateen.cluster.node.network.cni import Plugin
from lateen.cluster.objects import Obj
from lateen.cluster.replaced_file import replace_file


class SandboxRecord(msgspec.Struct, frozen=True):
    """One sandbox: its addresses, host ports, the CNI chain that ran and its result (None: it did not finish)."""

    sandbox_id: str
    ips: tuple[str, ...]
    port_mappings: tuple[Obj, ...] = ()
    chain: tuple[Plugin, ...] = ()
    result: Obj | None = None


class SandboxRecords:
    """The records of a node's sandboxes, one file each in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._records: dict[str, SandboxRecord] = {}
        for path in directory.glob("*.json"):
            record = msgspec.json.decode(path.read_bytes(), type=SandboxRecord)
            self._records[record.sandbox_id] = record

    def get(self, sandbox_id: str) -> SandboxRecord | None:
        return self._records.get(sandbox_id)

    def all(self) -> list[SandboxRecord]:
        return list(self._records.values())

    def save(self, record: SandboxRecord) -> None:
        # Sandboxes end with the machine.
        replace_file(self._path(record.sandbox_id), msgspec.json.encode(record), mode=0o600, durable=False)
        self._records[record.sandbox_id] = record

    def remove(self, sandbox_id: str) -> None:
        self._path(sandbox_id).unlink(missing_ok=True)
        self._records.pop(sandbox_id, None)

    def _path(self, sandbox_id: str) -> Path:
        return self._directory / f"{sandbox_id}.json"

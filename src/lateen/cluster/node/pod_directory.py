"""Where one pod's files are, below the node's own directory."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from lateen.cluster.objects import Obj

_UID = re.compile(r"[A-Za-z0-9-]{1,64}")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class PodDirectory:
    """`<node root>/pods/<uid>`: everything of a pod that must survive the node process."""

    path: Path

    @classmethod
    def of(cls, node_root: Path, uid: str) -> PodDirectory:
        """Raises ValueError for a uid that is no file name."""
        if not _UID.fullmatch(uid):
            raise ValueError(f"pod uid {uid!r}")
        return cls(node_root / "pods" / uid)

    @property
    def uid(self) -> str:
        return self.path.name

    @property
    def manifest(self) -> Path:
        """The pod as last seen."""
        return self.path / "pod.json"

    @property
    def sandbox(self) -> Path:
        """The node's record of the sandbox: id, addresses, cgroups."""
        return self.path / "sandbox-state.json"

    @property
    def etc(self) -> Path:
        return self.path / "etc"

    @property
    def shm(self) -> Path:
        return self.path / "shm"

    def create(self) -> None:
        for path in (self.path.parent, self.path):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in (self.etc, self.shm, self.path / "volumes"):
            path.mkdir(mode=0o755, exist_ok=True)

    def save_manifest(self, pod: Obj) -> None:
        """For a node process that finds this pod later, when the API may know it no more."""
        temporary = self.manifest.with_suffix(".tmp")
        temporary.write_text(json.dumps(pod))
        temporary.chmod(0o600)
        temporary.replace(self.manifest)

    def volume(self, name: str) -> Path:
        return self.path / "volumes" / _checked(name)

    def container(self, name: str) -> Path:
        """Records of a container's attempts."""
        return self.path / "containers" / _checked(name)

    def attempt_record(self, name: str, attempt: int) -> Path:
        return self.container(name) / f"{attempt}.json"

    def root_layer(self, name: str, attempt: int) -> Path:
        """The writable layer, its work directory and the mount point of one attempt."""
        return self.container(name) / f"root-{attempt}"

    def termination_message(self, name: str, attempt: int) -> Path:
        return self.container(name) / f"termination-{attempt}"

    def log(self, name: str, attempt: int) -> Path:
        return self.path / "logs" / _checked(name) / f"{attempt}.log"

    def remove(self) -> None:
        """Deletes it all; mounts of the pod are not followed, for they are in the pod's namespace only."""
        shutil.rmtree(self.path, ignore_errors=True)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"name {name!r}")
    return name

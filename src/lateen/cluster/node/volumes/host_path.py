"""hostPath volumes: the path of the machine, checked or made as its type says.

Source: the Kubernetes API's HostPathType; messages as the kubelet's.
"""

from __future__ import annotations

import stat
from pathlib import Path

from lateen.cluster.node.volumes.content import VolumeError
from lateen.cluster.objects import Obj

_TESTS = {
    "Directory": (stat.S_ISDIR, "directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "FileOrCreate": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


def host_path(source: Obj) -> Path:
    """The volume's path. Raises VolumeError when it is not what the type says, or cannot be made."""
    path, kind = Path(source["path"]), source.get("type") or ""
    if not path.is_absolute() or ".." in path.parts:
        raise VolumeError(f"hostPath {path}: must be absolute and without '..'")
    try:
        if not path.exists():
            if kind in ("", "DirectoryOrCreate"):
                path.mkdir(mode=0o755, parents=True)
            elif kind == "FileOrCreate":
                path.touch(mode=0o644, exist_ok=True)
        if kind in _TESTS:
            test, name = _TESTS[kind]
            if not path.exists() or not test(path.stat().st_mode):
                raise VolumeError(f"hostPath type check failed: {path} is not a {name}")
    except OSError as error:
        raise VolumeError(f"hostPath {path}: {error.strerror}") from None
    return path

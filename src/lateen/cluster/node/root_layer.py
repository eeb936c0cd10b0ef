"""The writable layer of a container's root: empty directories of its own, and nothing of the machine's secrets.

In an overlay's upper directory a character device 0/0 hides what is below, and the attribute `trusted.overlay.opaque`
makes a directory hide its lower namesake's contents (kernel documentation of overlayfs).
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterable
from pathlib import Path

import lateen

# Emptied: what belongs to the machine's running services and users, not to an image.
_EMPTY = {"tmp": 0o1777, "var/tmp": 0o1777, "run": 0o755, "mnt": 0o755, "media": 0o755}
_SECRET_IN_HOMES = [
    ".aws",
    ".azure",
    ".bash_history",
    ".config/gcloud",
    ".docker",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".lateen",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".ssh",
]
_SECRETS = ("etc/shadow", "etc/shadow-", "etc/gshadow", "etc/gshadow-", "etc/ssh", "etc/kubernetes", "etc/sudoers.d")


def program_paths() -> list[Path]:
    """What the cluster's own programs need: the interpreter, its environment, the source."""
    source = Path(lateen.__file__).resolve().parents[1]
    return [Path(sys.prefix), Path(sys.base_prefix), Path(os.path.realpath(sys.executable)), source]


def prepare(layer: Path, hidden: Iterable[Path], programs: Iterable[Path]) -> None:
    """Makes `upper`, `work` and `root` (the mount point) in `layer`. Raises OSError.

    `hidden` do not exist in the container. `programs` can be reached by every user even where the machine's
    directories on the way are its owner's alone.
    """
    upper = layer / "upper"
    for name in ("upper", "work", "root"):
        (layer / name).mkdir(parents=True, exist_ok=True)
        (layer / name).chmod(0o755)
    for name, mode in _EMPTY.items():
        if Path("/", name).is_dir() and not Path("/", name).is_symlink():
            directory = _copy_directory(upper, name)
            directory.chmod(mode)
            os.setxattr(directory, "trusted.overlay.opaque", b"y")
    for program in programs:
        for ancestor in reversed(program.parents):
            if stat.S_IMODE(ancestor.stat().st_mode) & 0o011 != 0o011:
                copy = _copy_directory(upper, str(ancestor)[1:])
                copy.chmod(stat.S_IMODE(ancestor.stat().st_mode) | 0o011)
    homes = [Path("/root"), *(Path("/home").iterdir() if Path("/home").is_dir() else ())]
    secrets = [home / name for home in homes for name in _SECRET_IN_HOMES]
    for path in (*secrets, *(Path("/", name) for name in _SECRETS), *hidden):
        _hide(upper, path)


def _copy_directory(upper: Path, name: str) -> Path:
    """The directory in the upper layer, each level with the owner and mode that it has below."""
    below, copy = Path("/"), upper
    for part in Path(name).parts:
        below, copy = below / part, copy / part
        if not copy.is_dir():
            status = below.stat()
            copy.mkdir()
            os.chown(copy, status.st_uid, status.st_gid)
            copy.chmod(stat.S_IMODE(status.st_mode))
    return copy


def _hide(upper: Path, path: Path) -> None:
    resolved = path.parent.resolve() / path.name
    if not os.path.lexists(resolved) or not resolved.name:
        return
    if any(_hides(upper / str(ancestor)[1:]) for ancestor in resolved.parents[:-1]):
        return
    copy = _copy_directory(upper, str(resolved.parent)[1:]) / resolved.name
    if copy.is_dir():
        shutil.rmtree(copy)
    if not os.path.lexists(copy):
        os.mknod(copy, stat.S_IFCHR, os.makedev(0, 0))


def _hides(copy: Path) -> bool:
    """Whether nothing of what is below shows through here: the directory is hidden or emptied."""
    try:
        if stat.S_ISCHR(copy.lstat().st_mode):
            return True
        return os.getxattr(copy, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False


def emptied(paths: Iterable[Path]) -> list[Path]:
    """Those paths that are below a directory that containers have of their own."""
    return [path for path in paths if any(path.is_relative_to(Path("/", name)) for name in _EMPTY)]


def separate_mounts(paths: Iterable[Path], mountinfo: str) -> list[Path]:
    """Those paths that are not on the root file system itself, which the overlay therefore does not show."""
    points = {line.split()[4] for line in mountinfo.splitlines()} - {"/"}
    return [path for path in paths if any(str(place) in points for place in (path, *path.parents))]

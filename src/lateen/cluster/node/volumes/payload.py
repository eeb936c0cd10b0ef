"""Files of a volume that are replaced all at once: readers see the old set or the new one, never a mixture.

As the kubelet writes them, which programs rely on to notice changes: the files are in a directory of their own, the
link `..data` names it and is replaced by a rename, and each file's own name is a link into `..data`.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_DATA = "..data"
_NEW_DATA = "..data_tmp"


@dataclass(frozen=True, slots=True)
class File:
    """A file's contents, permission bits, and owner."""

    data: bytes
    mode: int
    uid: int = 0
    gid: int = 0


Payload = Mapping[str, File]
"""By relative path."""


class PayloadError(ValueError):
    """A path that would leave the volume."""


def check_path(path: str) -> str:
    """The path as it is. Raises PayloadError for one that is absolute or leads upwards."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise PayloadError(f"invalid path {path!r}")
    return path


def write_payload(directory: Path, payload: Payload) -> bool:
    """Makes the volume contain exactly `payload`. Returns whether anything changed. Raises OSError, PayloadError."""
    for path in payload:
        check_path(path)
    current = directory / _DATA
    if current.is_dir() and _contents(current) == dict(payload):
        return False
    stamp = dt.datetime.now(dt.UTC).strftime("..%Y_%m_%d_%H_%M_%S.")
    fresh = Path(tempfile.mkdtemp(prefix=stamp, dir=directory))
    fresh.chmod(0o755)
    for path, file in payload.items():
        _write_file(fresh / path, file)
    old = os.readlink(current) if current.is_symlink() else ""
    (directory / _NEW_DATA).unlink(missing_ok=True)
    os.symlink(fresh.name, directory / _NEW_DATA)
    os.rename(directory / _NEW_DATA, current)
    _link_names(directory, {PurePosixPath(path).parts[0] for path in payload})
    if old:
        shutil.rmtree(directory / old, ignore_errors=True)
    return True


def _write_file(path: Path, file: File) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(file.data)
    os.chown(path, file.uid, file.gid)
    path.chmod(file.mode)


def _link_names(directory: Path, names: set[str]) -> None:
    for name in names:
        link = directory / name
        if not link.is_symlink():
            os.symlink(f"{_DATA}/{name}", link)
    for entry in directory.iterdir():
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()


def _contents(directory: Path) -> dict[str, File]:
    found = {}
    for path in directory.rglob("*"):
        if path.is_file():
            status = path.stat()
            found[str(path.relative_to(directory))] = File(
                path.read_bytes(), status.st_mode & 0o7777, status.st_uid, status.st_gid
            )
    return found

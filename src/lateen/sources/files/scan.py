"""Notices changes of files by looking at them: that works on every file system, mount and editor.

A change counts once the file has looked the same twice in a row, so that neither a file that is half written nor one
that an editor is just replacing is taken at its word.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

_SUFFIXES = (".yaml", ".yml", ".json")


class Signature(NamedTuple):
    """What changes when a file's content does."""

    device: int
    inode: int
    size: int
    modified: int
    """Nanoseconds."""
    changed: int
    """Of the inode, in nanoseconds: no program can set this one back."""


class Scan(NamedTuple):
    files: Mapping[Path, Signature]
    failures: Mapping[Path, str]
    """Paths that cannot be read, and why: nothing is known of what is below them."""


def scan(paths: Iterable[Path]) -> Scan:
    """The manifests under some paths: a directory stands for all below it whose names end like YAML or JSON and do not
    begin with a dot; a file for itself, whatever its name."""
    files: dict[Path, Signature] = {}
    failures: dict[Path, str] = {}
    for path in paths:
        try:
            found = path.stat()
        except OSError as error:
            failures[path] = error.strerror or str(error)
            continue
        if not stat.S_ISDIR(found.st_mode):
            _add(path, files, failures)
            continue

        def failed(error: OSError) -> None:
            failures[Path(error.filename)] = error.strerror or str(error)

        for directory, below, names in os.walk(path, onerror=failed):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in names:
                if name.endswith(_SUFFIXES) and not name.startswith("."):
                    _add(Path(directory, name), files, failures)
    return Scan(files, failures)


def _add(path: Path, files: dict[Path, Signature], failures: dict[Path, str]) -> None:
    try:
        # Of what a link points to: mounted ConfigMaps are links.
        found = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        failures[path] = error.strerror or str(error)
        return
    if stat.S_ISREG(found.st_mode):
        files[path] = Signature(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    else:
        failures[path] = "not a regular file"


class Settled(NamedTuple):
    """What has changed and then kept still."""

    changed: tuple[Path, ...]
    gone: tuple[Path, ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.gone)


class Settling:
    """Tells changes from scan to scan."""

    def __init__(self) -> None:
        self._taken: dict[Path, Signature] = {}
        self._last: Mapping[Path, Signature] | None = None

    def look(self, found: Scan) -> Settled:
        """Changes that this scan and the one before agree on; those of the first scan count at once.

        What cannot be read at the moment has not changed.
        """
        files = dict(found.files)
        for failed in found.failures:
            files.update((path, was) for path, was in self._taken.items() if path.is_relative_to(failed))
        last = files if self._last is None else self._last
        self._last = files
        still = [path for path in {**self._taken, **files} if files.get(path) == last.get(path)]
        changed = [path for path in still if path in files and files[path] != self._taken.get(path)]
        gone = [path for path in still if path not in files]
        self._taken.update((path, files[path]) for path in changed)
        for path in gone:
            del self._taken[path]
        return Settled(tuple(sorted(changed)), tuple(sorted(gone)))

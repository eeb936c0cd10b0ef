"""The front's directory: its own, and no trace of those whose processes were killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_PREFIX: Final = "lateen-front-"
_LOCK: Final = "lock"


class FrontDirectory:
    """`with FrontDirectory() as directory: directory.path`: new, with mode 0700, and removed at the end.

    A process that is killed leaves sockets and a key behind; where they are shows by a lock that nobody holds any more.
    """

    def __init__(self, place: Path | None = None) -> None:
        """`place`: where it is made; None: where temporary files are."""
        self._place = place if place is not None else Path(tempfile.gettempdir())
        self._path: Path | None = None
        self._lock = -1

    @property
    def path(self) -> Path:
        assert self._path is not None, "not entered"
        return self._path

    def __enter__(self) -> Self:
        """Raises OSError when there is no room for it."""
        self._sweep()
        self._path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._place))
        self._lock = os.open(self._path / _LOCK, os.O_WRONLY | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def _sweep(self) -> None:
        for lock in self._place.glob(f"{_PREFIX}*/{_LOCK}"):
            try:
                descriptor = os.open(lock, os.O_WRONLY)
            except OSError:
                # Somebody else's, or gone by now.
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
            except OSError:
                continue
            finally:
                os.close(descriptor)

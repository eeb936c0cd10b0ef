"""Files that are there as a whole or not at all, for their owner alone."""

from __future__ import annotations

import contextlib
import os

__all__ = ["replace"]


def replace(path: str, text: str, mode: int = 0o600) -> None:
    """Puts a new file in the place of an old one, in one step. Raises OSError.

    The other file is made beside it, under a name of this process's own: two writers do not disturb each other.
    """
    temporary = f"{path}.{os.getpid()}.new"
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with open(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, mode)
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise

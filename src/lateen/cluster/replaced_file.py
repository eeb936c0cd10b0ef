"""Files that are replaced as a whole: a reader sees the old content or the new, never half of one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace_file(path: Path, content: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Replaces `path` atomically; its directory must be there. Nothing is left when it fails.

    `durable` has it survive the machine's crash too, at the price of a disk's write.
    """
    # mkstemp opens with O_EXCL and 0600, so that nobody else ever has a handle to a secret's content.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(descriptor, mode)
            if durable:
                file.flush()
                os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise

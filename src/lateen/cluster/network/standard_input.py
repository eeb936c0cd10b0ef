"""What a program is given to read, as a file in memory: unlike with a pipe, it may end without having read it."""

from __future__ import annotations

import os
from typing import BinaryIO


def standard_input(data: bytes) -> BinaryIO:
    """An anonymous file with `data`, open at its beginning. The caller closes it once the program has started."""
    file = os.fdopen(os.memfd_create("standard-input"), "w+b")
    file.write(data)
    file.seek(0)
    return file

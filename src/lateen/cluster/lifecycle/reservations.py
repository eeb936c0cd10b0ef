"""Which cluster of this machine has which address ranges, whatever home it is in, and also while it is down.

One symbolic link per index to the cluster's directory, in a directory that goes with a reboot. A link whose cluster is
gone, or has another index by now, counts for nothing.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from lateen.cluster.layout import Layout
from lateen.cluster.spec import load_spec

DIRECTORY = Path("/run/lateen/clusters")


def holder(index: int, directory: Path = DIRECTORY) -> Path | None:
    """The directory of the cluster that has the index; None when it is free."""
    try:
        root = Path(os.readlink(directory / str(index)))
        return root if load_spec(root).index == index else None
    except (OSError, ValueError):
        return None


def reserve(layout: Layout, directory: Path = DIRECTORY) -> None:
    """Notes that the cluster has its index. Call with the home's lock held, when nobody else is its `holder`."""
    directory.mkdir(parents=True, exist_ok=True)
    link = directory / str(layout.index)
    link.unlink(missing_ok=True)
    link.symlink_to(layout.root.absolute())


def release(layout: Layout, directory: Path = DIRECTORY) -> None:
    """Forgets the cluster's reservation, if it is its own, and the directories when nothing is left in them."""
    link = directory / str(layout.index)
    with contextlib.suppress(OSError):
        if Path(os.readlink(link)) == layout.root.absolute():
            link.unlink()
    for path in (directory, directory.parent):
        with contextlib.suppress(OSError):
            path.rmdir()

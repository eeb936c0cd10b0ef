"""Files that hold secrets: readable by their owner alone, and never seen half-written."""

from __future__ import annotations

from pathlib import Path

from lateen.cluster.replaced_file import replace_file


def write_private(path: Path, content: bytes) -> None:
    """Replaces `path` atomically and durably with mode 0600; its directory is made with 0700 when missing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, content, mode=0o600)

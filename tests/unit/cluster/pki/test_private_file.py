from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lateen.cluster.pki.private_file import write_private


def test_replaces_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key"
    write_private(path, b"one")
    path.chmod(0o644)
    write_private(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "directory"
    path.mkdir()
    (path / "inside").touch()
    with pytest.raises(OSError):
        write_private(path, b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["directory"]

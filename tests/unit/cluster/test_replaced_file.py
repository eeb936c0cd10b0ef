from __future__ import annotations

import os
from pathlib import Path

import pytest

from lateen.cluster.replaced_file import replace_file


@pytest.mark.parametrize("durable", [True, False])
def test_replaces_content_and_mode(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file"
    replace_file(path, b"one", durable=durable)
    assert path.stat().st_mode & 0o777 == 0o644
    replace_file(path, b"two", mode=0o600, durable=durable)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_leaves_nothing_when_it_fails(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(OSError):
        replace_file(tmp_path / "directory", b"content")
    assert os.listdir(tmp_path) == ["directory"]

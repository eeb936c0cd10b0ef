from __future__ import annotations

import os
from pathlib import Path

import pytest

from lateen.cluster.node.volumes.payload import File, PayloadError, write_payload


def file(text: str, mode: int = 0o644) -> File:
    return File(text.encode(), mode, os.getuid(), os.getgid())


def test_all_files_change_at_once(tmp_path: Path) -> None:
    assert write_payload(tmp_path, {"a": file("1"), "d/b": file("2", 0o400)})
    first = os.readlink(tmp_path / "..data")
    assert (tmp_path / "a").read_text() == "1"
    assert (tmp_path / "d/b").stat().st_mode & 0o777 == 0o400
    assert os.readlink(tmp_path / "a") == "..data/a"
    assert write_payload(tmp_path, {"a": file("new")})
    assert os.readlink(tmp_path / "..data") != first
    assert not (tmp_path / first).exists()
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith("..")) == ["a"]


def test_nothing_happens_when_nothing_changed(tmp_path: Path) -> None:
    write_payload(tmp_path, {"a": file("1")})
    before = os.readlink(tmp_path / "..data")
    assert not write_payload(tmp_path, {"a": file("1")})
    assert os.readlink(tmp_path / "..data") == before


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "..data", ""])
def test_paths_stay_inside(tmp_path: Path, path: str) -> None:
    with pytest.raises(PayloadError):
        write_payload(tmp_path, {path: file("x")})

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

from lateen.istiod.front.directory import FrontDirectory

KILLED = """
import os, pathlib, signal, sys
from lateen.istiod.front.directory import FrontDirectory
with FrontDirectory(pathlib.Path(sys.argv[1])) as found:
    (found.path / "key").write_text("secret")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_is_ours_alone_and_leaves_nothing(tmp_path: Path) -> None:
    with FrontDirectory(tmp_path) as found:
        assert stat.S_IMODE(found.path.stat().st_mode) == 0o700
        (found.path / "key").write_text("secret")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=60)
    (left,) = tmp_path.iterdir()
    with FrontDirectory(tmp_path) as found:
        assert list(tmp_path.iterdir()) == [found.path]
        assert found.path != left


def test_what_others_use_stays(tmp_path: Path) -> None:
    (tmp_path / "lateen-front-other").mkdir()
    with FrontDirectory(tmp_path) as first, FrontDirectory(tmp_path) as second:
        assert first.path.exists()
        assert second.path.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["lateen-front-other"]

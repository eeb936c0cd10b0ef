"""What becomes of a process's standard streams."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import os, sys
from lateen.cluster.node.shim.launch import use_streams
null, out = os.open(sys.argv[1], os.O_RDWR), os.dup(1)
use_streams(null, out, null, 1337, 1338)
print(*(os.fstat(number).st_uid for number in (0, 1, 2)))
"""


@pytest.mark.cluster
def test_pipes_become_the_user_s_and_devices_stay_everybody_s(tmp_path: Path) -> None:
    null = tmp_path / "null"
    os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    done = subprocess.run([sys.executable, "-c", _PROGRAM, null], check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "0 1337 0\n"

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lateen.cluster.node.serving.dial import dial_loopback

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
]

SERVER = """
import socket, subprocess
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
s = socket.create_server(("127.0.0.1", 8080))
print("ready", flush=True)
while True:
    c, _ = s.accept()
    c.sendall(b"from inside")
    c.close()
"""


@pytest.fixture
def netns() -> Iterator[Path]:
    command = ["unshare", "--net", sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        yield Path(f"/proc/{child.pid}/ns/net")
        child.kill()


async def test_dials_inside_and_stays_outside(netns: Path) -> None:
    own = Path("/proc/self/ns/net").readlink()
    answers = []
    for _ in range(3):
        reader, writer = await dial_loopback(netns, 8080)
        answers.append(await reader.read())
        writer.close()
    assert answers == [b"from inside"] * 3
    assert Path("/proc/self/ns/net").readlink() == own
    await asyncio.to_thread(lambda: None)
    for thread in threading.enumerate():
        task = Path(f"/proc/self/task/{thread.native_id}/ns/net")
        assert not task.exists() or task.readlink() == own

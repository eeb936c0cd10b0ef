"""Start of a pod's shim: enters and makes the pod's namespaces, then supervises.

Called in the pod's directory with `sandbox.json` there; answers on its standard output with `ready` or what failed.
"""

from __future__ import annotations

import json
import os
import socket
import sys

from lateen.cluster.node.shim import kernel
from lateen.cluster.node.shim.supervisor import Supervisor

TYPE_CHECKING = False  # `typing` itself would cost every pod a megabyte
if TYPE_CHECKING:
    from typing import Any

SOCKET = "shim.sock"
CONFIG = "sandbox.json"


def main() -> None:
    """Runs until told to shut down. `sys.argv[1]` is the pod's directory."""
    os.chdir(sys.argv[1])
    try:
        with open(CONFIG) as file:
            config = json.load(file)
        _enter_namespaces(config)
        listener = _listen()
    except (OSError, ValueError, KeyError) as error:
        os.write(1, f"{error}".encode())
        sys.exit(1)
    # Nobody's child: it outlives the node process, which must not have to wait for it either.
    if os.fork():
        os._exit(0)
    os.write(1, b"ready")
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 1)
    os.close(null)
    Supervisor(listener, config["pid"]).run()


def _enter_namespaces(config: dict[str, Any]) -> None:
    if config["netns"]:
        fd = os.open(config["netns"], os.O_RDONLY)
        kernel.setns(fd, kernel.CLONE_NEWNET)
        os.close(fd)
    kernel.unshare(
        kernel.CLONE_NEWNS
        | (kernel.CLONE_NEWIPC if config["ipc"] else 0)
        | (kernel.CLONE_NEWUTS if config["uts"] else 0)
    )
    # What is mounted for the pod is seen by the pod only and vanishes with it; the machine's mounts still arrive.
    kernel.mount("", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
    kernel.become_subreaper()
    if config["uts"]:
        socket.sethostname(config["hostname"])
    for tmpfs in config["tmpfs"]:
        kernel.mount("tmpfs", tmpfs["target"], "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, tmpfs["options"])
    if config["sysctls"]:
        # /proc/sys/net shows the namespace of the process that looks; the rest shows it too.
        for name, value in config["sysctls"].items():
            with open("/proc/sys/" + name.replace(".", "/"), "w") as file:
                file.write(value)


def _listen() -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if os.path.exists(SOCKET):
        os.unlink(SOCKET)
    before = os.umask(0o177)
    listener.bind(SOCKET)
    os.umask(before)
    listener.listen(64)
    return listener

"""Network namespaces for tests that send packets: made here, joined by cables, gone with the test. Needs root.

Sources: network_namespaces(7), setns(2), setfsuid(2)."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000


class Namespace:
    """A network namespace that lives as long as a process of ours."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.path = f"/proc/{process.pid}/ns/net"

    def run(self, act: Callable[[], T], *, uid: int = 0, gid: int = 0) -> T:
        """Does something in the namespace, in a thread of its own; sockets it makes stay there, and belong to that user
        and group. Raises what it raises."""
        results: list[T] = []
        problems: list[BaseException] = []

        def enter_and_act() -> None:
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                with open(self.path) as file:
                    if libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), f"setns {self.path}")
                # Unlike seteuid these concern this thread alone.
                libc.setfsgid(gid)
                libc.setfsuid(uid)
                results.append(act())
            except BaseException as problem:
                problems.append(problem)

        thread = threading.Thread(target=enter_and_act)
        thread.start()
        thread.join()
        if problems:
            raise problems[0]
        return results[0]

    def command(self, *argv: str) -> str:
        """Runs a program in the namespace: its standard output."""
        return self.run(lambda: subprocess.run(argv, check=True, capture_output=True, text=True).stdout)

    def socket(self, family: int, kind: int, *, uid: int = 0, gid: int = 0) -> socket.socket:
        """A socket in the namespace, of that user and group."""
        return self.run(lambda: socket.socket(family, kind), uid=uid, gid=gid)


@contextmanager
def namespace() -> Iterator[Namespace]:
    """A namespace with a working loopback interface."""
    # `cat` ends with us, whatever becomes of us.
    with subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            own = os.readlink("/proc/self/ns/net")
            made = Namespace(process)
            while os.readlink(made.path) == own:
                if process.poll() is not None:
                    raise OSError("unshare --net failed; it needs root")
            made.command("ip", "link", "set", "lo", "up")
            yield made
        finally:
            process.kill()


def connect(left: tuple[Namespace, str, str], right: tuple[Namespace, str, str], ipv6: bool = True) -> None:
    """Lays a cable: each end is a namespace, an interface's name, and its number N, for the addresses 10.N and fdN: as
    `"77.0.2"` means 10.77.0.2/24 and fd77::2/64."""
    (one, name, _), (other, peer, _) = left, right
    pid = other.path.split("/")[2]
    one.command("ip", "link", "add", name, "type", "veth", "peer", "name", peer, "netns", pid)
    for end, interface, number in (left, right):
        net, _, host = number.split(".")
        end.command("ip", "address", "add", f"10.{number}/24", "dev", interface)
        if ipv6:
            end.command("ip", "address", "add", f"fd{net}::{host}/64", "dev", interface, "nodad")
        # Addresses that the kernel adds by itself would come some time later.
        end.command("ip", "link", "set", interface, "addrgenmode", "none", "up")

"""Network namespaces, bound to paths: made, entered and removed without starting a process.

A namespace is a property of a thread: each operation runs in a thread of its own that ends with it, so that the
process never changes its own namespace. Source: network_namespaces(7), setns(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

NAMED = Path("/run/netns")
"""Where iproute2 looks for namespaces by name."""

_CLONE_NEWNET = 0x40000000
_MS_BIND, _MS_REC, _MS_SHARED = 4096, 16384, 1 << 20
_MNT_DETACH = 2

T = TypeVar("T")


class _Libc:
    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def _check(self, result: int, what: str) -> None:
        if result != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), what)

    def unshare_network(self) -> None:
        self._check(self._libc.unshare(_CLONE_NEWNET), "unshare")

    def enter_network(self, fd: int) -> None:
        self._check(self._libc.setns(fd, _CLONE_NEWNET), "setns")

    def mount(self, source: str, target: Path, flags: int) -> None:
        result = self._libc.mount(source.encode(), str(target).encode(), b"none", ctypes.c_ulong(flags), None)
        self._check(result, str(target))

    def unmount(self, target: Path) -> None:
        self._check(self._libc.umount2(str(target).encode(), _MNT_DETACH), str(target))


def _in_thread(function: Callable[[], T]) -> T:
    result: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(function())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="netns")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def create_namespace(path: Path, sysctls: Mapping[str, str]) -> None:
    """Makes a namespace, sets `sysctls` (`net/ipv4/ip_forward`: `1`) in it and binds it to `path`.

    Raises FileExistsError when a namespace is there already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent == NAMED:
        share_directory(NAMED)
    if is_namespace(path):
        raise FileExistsError(errno.EEXIST, "namespace exists", str(path))
    path.touch(mode=0o444, exist_ok=True)
    libc = _Libc()

    def make() -> None:
        libc.unshare_network()
        write_sysctls(sysctls)
        libc.mount(f"/proc/self/task/{threading.get_native_id()}/ns/net", path, _MS_BIND)

    try:
        _in_thread(make)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def delete_namespace(path: Path) -> None:
    """Unbinds the namespace and removes the path; nothing happens when there is none."""
    libc = _Libc()
    while is_namespace(path):
        libc.unmount(path)
    path.unlink(missing_ok=True)


def is_namespace(path: Path) -> bool:
    """Whether a namespace is bound there (and not just an empty file left by a crash)."""
    try:
        return os.stat(path).st_dev == os.stat("/proc/self/ns/net").st_dev
    except OSError:
        return False


def run_in_namespace(path: Path, function: Callable[[], T]) -> T:
    """Calls `function` in the namespace at `path`, in a thread of its own. Raises OSError when there is none."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    libc = _Libc()

    def enter() -> T:
        libc.enter_network(fd)
        return function()

    try:
        return _in_thread(enter)
    finally:
        os.close(fd)


def interfaces(path: Path | None = None) -> set[str]:
    """The names of the network interfaces in a namespace (None: this process' own)."""
    if path is None:
        return {name for _, name in socket.if_nameindex()}
    return {name for _, name in run_in_namespace(path, socket.if_nameindex)}


def write_sysctls(sysctls: Mapping[str, str]) -> None:
    """Sets kernel parameters of the calling thread's namespace. What this kernel does not have is left out."""
    for name, value in sysctls.items():
        with contextlib.suppress(FileNotFoundError):
            Path("/proc/sys", name).write_text(value)


def share_directory(directory: Path) -> None:
    """Makes the directory a shared mount, as `ip netns add` does: namespaces bound there are then seen (and their
    removal is) in every mount namespace."""
    libc = _Libc()
    try:
        libc.mount("", directory, _MS_SHARED | _MS_REC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        libc.mount(str(directory), directory, _MS_BIND | _MS_REC)
        libc.mount("", directory, _MS_SHARED | _MS_REC)


def unshare_directory(directory: Path) -> None:
    """Undoes `share_directory` for a directory of ours; nothing happens when it is no mount (any more)."""
    libc = _Libc()
    while True:
        try:
            libc.unmount(directory)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOENT):
                raise
            return

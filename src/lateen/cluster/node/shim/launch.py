"""Starting processes: a container's first one in new namespaces, or another one in those of a running container."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import termios

from lateen.cluster.node.shim import credentials, kernel, root_filesystem

TYPE_CHECKING = False  # `typing` itself would cost every pod a megabyte
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

# asm-generic/ioctls.h: unlock a terminal; ask for its number.
_TIOCSPTLCK = 0x40045431
_TIOCGPTN = 0x80045430
_CONSOLE_MODE = 0o620


class PidNamespaces:
    """Forks into process id namespaces. A process cannot change its own, only that of its children to come."""

    def __init__(self) -> None:
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY)

    def fork_new(self) -> int:
        """As `os.fork`; the child is the first process of a new namespace."""
        kernel.unshare(kernel.CLONE_NEWPID)
        return self._fork()

    def fork_into(self, pid: int) -> int:
        """As `os.fork`; the child is in the namespace of process `pid`. Raises OSError when that has ended."""
        fd = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY)
        try:
            kernel.setns(fd, kernel.CLONE_NEWPID)
        finally:
            os.close(fd)
        return self._fork()

    def _fork(self) -> int:
        pid = -1
        try:
            pid = os.fork()
        finally:
            if pid != 0:
                kernel.setns(self._own, kernel.CLONE_NEWPID)
        return pid


def run_child(setup: Callable[[], None], process: dict[str, Any], failure: int) -> NoReturn:
    """In a forked child: sets up and becomes the program; on failure writes why to `failure` and ends with 128."""
    try:
        setup()
        env = dict(entry.split("=", 1) for entry in process["env"])
        os.makedirs(process["cwd"], exist_ok=True)
        credentials.become(process)
        os.chdir(process["cwd"])
        program = credentials.find_program(process["argv"][0], env, process["cwd"])
        credentials.reset_signals()
        os.execve(program, process["argv"], env)
    except OSError as error:
        text = str(error) if error.errno is None else f"{error.filename or process['argv'][0]}: {error.strerror}"
        _tell(failure, text)
    except BaseException as error:
        _tell(failure, f"{type(error).__name__}: {error}")
    os._exit(128)


def _tell(failure: int, text: str) -> None:
    os.write(failure, text.encode(errors="replace")[:4000])


def join_cgroups(files: list[str]) -> None:
    for path in files:
        with open(path, "w") as file:
            file.write("0")


def use_streams(stdin: int, stdout: int, stderr: int, uid: int, gid: int) -> None:
    """Makes the descriptors the standard streams; a pipe belongs to the user, who may open it by /dev/stdout."""
    for number, fd in ((0, stdin), (1, stdout), (2, stderr)):
        os.dup2(fd, number, inheritable=True)
        if stat.S_ISCHR(os.fstat(number).st_mode):
            # /dev/null is everybody's on this machine.
            continue
        try:
            os.fchown(number, uid, gid)
        except OSError:
            continue


def use_terminal(console: socket.socket, uid: int) -> None:
    """Opens a terminal of the container's own /dev/pts, sends its other end off, and makes it the controlling one."""
    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(master, _TIOCSPTLCK, b"\0\0\0\0")
    number = int.from_bytes(fcntl.ioctl(master, _TIOCGPTN, b"\0\0\0\0"), "little")
    terminal = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY)
    socket.send_fds(console, [b"t"], [master])
    os.close(master)
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    os.fchown(terminal, uid, -1)
    os.fchmod(terminal, _CONSOLE_MODE)
    for number in (0, 1, 2):
        os.dup2(terminal, number, inheritable=True)


def enter_container_root(spec: dict[str, Any]) -> None:
    kernel.unshare(kernel.CLONE_NEWNS)
    root_filesystem.enter(spec["root"], spec["mounts"], spec["privileged"], spec["shm"])


def enter_mount_namespace(pid: int) -> None:
    fd = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    kernel.setns(fd, kernel.CLONE_NEWNS)
    os.close(fd)


def adjust_oom_score(value: int) -> None:
    """Lowering it takes a privilege that the machine may not give: the score stays then."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write(str(value))
    except OSError:
        return

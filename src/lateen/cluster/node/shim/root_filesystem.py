"""A container's view of the file system: an overlay of the machine's root, and mounts on top.

Runs in the container's first process, in a mount namespace of its own that was copied from the shim's.
"""

from __future__ import annotations

import os

from lateen.cluster.node.shim import kernel
from lateen.cluster.node.shim.kernel import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC, MS_REMOUNT

TYPE_CHECKING = False  # `typing` itself would cost every pod a megabyte
if TYPE_CHECKING:
    from typing import Any

_DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
# What the OCI runtimes hide and protect in /proc.
_MASKED = ("acpi", "asound", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi")
_PROTECTED = ("bus", "fs", "irq", "sys", "sysrq-trigger")


def enter(root: dict[str, Any], mounts: list[dict[str, Any]], privileged: bool, shm: str) -> None:
    """Makes the container's root the process's root. Raises OSError naming the mount that failed.

    `root`: `lower` (directories, first on top), `upper`, `work`, `target` (an empty directory), `readonly`,
    `unmasked_proc`. `mounts`: `source` and `subpath` (within it, made when missing) or, instead of a source, `tmpfs`
    (its options); `target` (resolved within the new root), `readonly`, `recursive`, `propagate` (later mounts of the
    machine appear).
    """
    kernel.mount("", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
    # Opened before the root changes: a symbolic link in a source's path means the machine's, not the container's.
    sources = [_open_source(m) for m in mounts]
    shm_source = os.open(shm, os.O_PATH)
    machine_devices = os.open("/dev", os.O_PATH)
    target = root["target"]
    lower = ":".join(_escape(directory) for directory in root["lower"])
    options = f"lowerdir={lower},upperdir={_escape(root['upper'])},workdir={_escape(root['work'])}"
    kernel.mount("overlay", target, "overlay", 0, options)
    os.chdir(target)
    os.makedirs("old-root", exist_ok=True)
    kernel.pivot_root(".", "old-root")
    os.chdir("/")
    kernel.mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    if privileged:
        _bind(machine_devices, "/dev", recursive=True)
    else:
        _make_devices()
    os.makedirs("/dev/shm", exist_ok=True)
    _bind(shm_source, "/dev/shm", recursive=False)
    kernel.mount("mqueue", _directory("/dev/mqueue"), "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    read_only = 0 if privileged else MS_RDONLY
    kernel.mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | read_only)
    for mount, source in zip(mounts, sources, strict=True):
        _mount(mount, source)
    for fd in (*sources, shm_source, machine_devices):
        if fd >= 0:
            os.close(fd)
    if not privileged and not root["unmasked_proc"]:
        _protect_proc()
    kernel.unmount("/old-root")
    os.rmdir("/old-root")
    if root["readonly"]:
        kernel.mount("", "/", flags=MS_REMOUNT | MS_BIND | MS_RDONLY)


def _open_source(mount: dict[str, Any]) -> int:
    """-1 for a mount without source. What a pod's volume contains is the pod's: links must not lead out of it."""
    if "source" not in mount:
        return -1
    source = os.open(mount["source"], os.O_PATH)
    subpath = mount.get("subpath", "")
    if not subpath:
        return source
    try:
        parts = subpath.split("/")
        mode = os.fstat(source).st_mode & 0o7777
        for depth in range(1, len(parts) + 1):
            try:
                os.close(kernel.open_beneath(source, "/".join(parts[:depth])))
            except FileNotFoundError:
                parent = kernel.open_beneath(source, "/".join(parts[: depth - 1]) or ".")
                os.mkdir(parts[depth - 1], 0o750, dir_fd=parent)
                os.close(parent)
                made = kernel.open_beneath(source, "/".join(parts[:depth]))
                os.chmod(f"/proc/self/fd/{made}", mode)
                os.close(made)
        return kernel.open_beneath(source, subpath)
    finally:
        os.close(source)


def _escape(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def _directory(path: str) -> str:
    os.makedirs(path, exist_ok=True)
    return path


def _bind(source: int, target: str, *, recursive: bool) -> None:
    kernel.mount(f"/proc/self/fd/{source}", target, flags=MS_BIND | (MS_REC if recursive else 0))


def _mount(mount: dict[str, Any], source: int) -> None:
    target = mount["target"]
    if source < 0:
        kernel.mount("tmpfs", _directory(target), "tmpfs", MS_NOSUID | MS_NODEV, mount["tmpfs"])
        return
    if os.path.isdir(f"/proc/self/fd/{source}"):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    _bind(source, target, recursive=bool(mount.get("recursive", True)))
    if not mount.get("propagate"):
        kernel.mount("", target, flags=kernel.MS_PRIVATE | MS_REC)
    if mount.get("readonly"):
        _make_read_only(target)


def _make_read_only(target: str) -> None:
    """A remount must repeat the flags that the mount has already: the kernel does not let them be dropped."""
    present = os.statvfs(target).f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC)
    kernel.mount("", target, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | present)


def _make_devices() -> None:
    kernel.mount("tmpfs", "/dev", "tmpfs", MS_NOSUID | kernel.MS_STRICTATIME, "mode=755,size=65536k")
    for name, major, minor in _DEVICES:
        path = f"/dev/{name}"
        os.mknod(path, 0o020666, os.makedev(major, minor))
        os.chmod(path, 0o666)
    for name, link in _DEVICE_LINKS.items():
        os.symlink(link, f"/dev/{name}")
    options = "newinstance,ptmxmode=0666,mode=0620,gid=5"
    kernel.mount("devpts", _directory("/dev/pts"), "devpts", MS_NOSUID | MS_NOEXEC, options)


def _protect_proc() -> None:
    for name in _MASKED:
        path = f"/proc/{name}"
        if os.path.isdir(path):
            kernel.mount("tmpfs", path, "tmpfs", MS_RDONLY, "size=0")
        elif os.path.exists(path):
            kernel.mount("/dev/null", path, flags=MS_BIND)
    for name in _PROTECTED:
        path = f"/proc/{name}"
        if os.path.exists(path):
            kernel.mount(path, path, flags=MS_BIND | MS_REC)
            kernel.mount("", path, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)

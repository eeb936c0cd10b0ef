"""System calls that Python 3.11's standard library does not offer. Every failure is an OSError.

Constants: linux/sched.h, linux/mount.h, linux/prctl.h, linux/capability.h.
"""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_STRICTATIME = 0x1000000
MNT_DETACH = 2

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION_3 = 0x20080522
LAST_CAPABILITY = 40

_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}
_OPENAT2 = 437
_RESOLVE_BENEATH = 0x08
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    result = _libc.mount(
        source.encode(), target.encode(), fstype.encode() or None, ctypes.c_ulong(flags), data.encode() or None
    )
    _check(result, f"mount {fstype or source} on {target}")


def unmount(target: str) -> None:
    """Detaches it, whoever still uses it."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def pivot_root(new_root: str, put_old: str) -> None:
    number = _PIVOT_ROOT[os.uname().machine]
    _check(_libc.syscall(ctypes.c_long(number), new_root.encode(), put_old.encode()), f"pivot_root {new_root}")


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(directory: int, path: str) -> int:
    """Opens (O_PATH) what `path` means within the directory; a link that leads out of it is an OSError (EXDEV)."""
    how = _OpenHow(os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_BENEATH)
    number = ctypes.c_long(_OPENAT2)
    fd = _libc.syscall(number, directory, path.encode(), ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how)))
    return _check(fd, path)


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    _check(_libc.setns(fd, kind), "setns")


def _prctl(option: int, value: int = 0, third: int = 0) -> int:
    zero = ctypes.c_ulong(0)
    return int(_libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(third), zero, zero))


def die_with_parent() -> None:
    """SIGKILL for the calling process when its parent ends. A later change of credentials undoes it."""
    _check(_prctl(_PR_SET_PDEATHSIG, 9), "PR_SET_PDEATHSIG")


def become_subreaper() -> None:
    _check(_prctl(_PR_SET_CHILD_SUBREAPER, 1), "PR_SET_CHILD_SUBREAPER")


def forbid_new_privileges() -> None:
    _check(_prctl(_PR_SET_NO_NEW_PRIVS, 1), "PR_SET_NO_NEW_PRIVS")


def keep_capabilities_over_setuid() -> None:
    _check(_prctl(_PR_SET_KEEPCAPS, 1), "PR_SET_KEEPCAPS")


def bounding_capabilities() -> int:
    """The bounding set of the calling process, as a mask."""
    return sum(1 << number for number in range(LAST_CAPABILITY + 1) if _prctl(_PR_CAPBSET_READ, number) == 1)


def limit_bounding_capabilities(mask: int) -> None:
    for number in range(LAST_CAPABILITY + 1):
        if not mask >> number & 1 and _prctl(_PR_CAPBSET_READ, number) == 1:
            _check(_prctl(_PR_CAPBSET_DROP, number), "PR_CAPBSET_DROP")


def set_capabilities(effective: int, permitted: int, inheritable: int) -> None:
    """Sets the calling thread's sets and clears the ambient one."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    low = 0xFFFFFFFF
    sets = (effective, permitted, inheritable)
    data = (ctypes.c_uint32 * 6)(*(s & low for s in sets), *(s >> 32 for s in sets))
    _check(_libc.capset(header, data), "capset")
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)

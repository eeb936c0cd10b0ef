"""The network namespace that this process is in: entering another, and what can be seen in it."""

from __future__ import annotations

import ctypes
import os
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from lateen.capture.capture import Address
from lateen.capture.programs import CaptureError

_CLONE_NEWNET = 0x40000000


def enter(path: str) -> None:
    """Moves this thread, and what it starts, to the network namespace at `path`. Raises CaptureError.
    Source: setns(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as problem:
        raise CaptureError(f"network namespace {path}: {problem.strerror}") from problem
    try:
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            raise CaptureError(f"network namespace {path}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(descriptor)


def has_ipv6(text: str) -> bool:
    """Whether /proc/net/if_inet6, here as `text`, shows an address that others could reach: not of the loopback
    interface, and not link-local."""
    fields = (line.split() for line in text.splitlines())
    return any(len(each) == 6 and each[5] != "lo" and each[3] != "20" for each in fields)


def interface_addresses() -> str:
    """/proc/net/if_inet6 of this thread's namespace; empty where the kernel has no IPv6."""
    try:
        return Path("/proc/thread-self/net/if_inet6").read_text()
    except OSError:
        return ""


def name_servers(text: str) -> tuple[Address, ...]:
    """The servers in a resolv.conf, without repetition. Raises CaptureError. Source: resolv.conf(5)."""
    found: dict[IPv4Address | IPv6Address, None] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                found[ip_address(words[1].partition("%")[0])] = None
            except ValueError as problem:
                raise CaptureError(f"resolv.conf: {words[1]} is no address") from problem
    return tuple(found)

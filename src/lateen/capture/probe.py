"""Proves that connections are captured: makes one that nobody listens for, and sees it arrive at the proxy's port.

The proxy must not run yet. The connection is the kind that the proxy itself makes to its own pod, from the proxy's user
to the loopback address 127.0.0.6 (::6), because that needs no other machine. Source: Istio's `istio-validation`."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from lateen.capture.capture import Capture
from lateen.capture.programs import CaptureError

_SO_ORIGINAL_DST: Final = 80
"""Of IPv4, and as IP6T_SO_ORIGINAL_DST of IPv6. Source: linux/netfilter_ipv4.h."""
_PAUSE_SECONDS: Final = 0.2
_ATTEMPT_SECONDS: Final = 1.0
_FAMILIES: Final = {4: (socket.AF_INET, "127.0.0.1", "127.0.0.6"), 6: (socket.AF_INET6, "::1", "::6")}


def probe(capture: Capture, port: int, timeout: float) -> None:
    """Tries until a connection to `port` is captured, for IPv4 and where it is captured for IPv6, but no longer than
    `timeout` seconds for both. Raises CaptureError when it is not."""
    deadline = time.monotonic() + timeout
    for version in (4, 6) if capture.ipv6 else (4,):
        _probe(capture, version, port, deadline)


def _probe(capture: Capture, version: int, port: int, deadline: float) -> None:
    family, local, target = _FAMILIES[version]
    with ExitStack() as stack:
        listeners = []
        for own in (capture.proxy_port, capture.inbound_port):
            listener = stack.enter_context(socket.socket(family))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((local, own))
            except OSError as problem:
                raise CaptureError(f"cannot listen on {local} port {own} in the proxy's place: {problem}") from problem
            listener.listen()
            listener.settimeout(_ATTEMPT_SECONDS)
            listeners.append(listener)
        while not _arrives(family, local, target, port, listeners, capture):
            if time.monotonic() >= deadline:
                raise CaptureError(f"a connection of the proxy's user to {target} port {port} is not captured")
            time.sleep(_PAUSE_SECONDS)


def _arrives(family: int, local: str, target: str, port: int, listeners: list[socket.socket], capture: Capture) -> bool:
    with _as_proxy(capture):
        client = socket.socket(family)
    with client:
        client.settimeout(_ATTEMPT_SECONDS)
        try:
            client.bind((local, 0))
            client.connect((target, port))
        except OSError:
            return False
        for listener in listeners:
            listener.setblocking(False)
            try:
                server = listener.accept()[0]
            except BlockingIOError:
                continue
            with server:
                if original_port(server) == port:
                    return True
    return False


def original_port(connection: socket.socket) -> int:
    """The port that a redirected connection was meant for."""
    level = socket.IPPROTO_IPV6 if connection.family == socket.AF_INET6 else socket.IPPROTO_IP
    try:
        # Both families' addresses begin with family and port.
        found = connection.getsockopt(level, _SO_ORIGINAL_DST, 28)
    except OSError:
        return int(connection.getsockname()[1])
    return int(struct.unpack_from("!H", found, 2)[0])


@contextmanager
def _as_proxy(capture: Capture) -> Iterator[None]:
    """A socket belongs to the user of its maker; where root probes, it has to be the proxy's."""
    if os.geteuid() != 0:
        yield
        return
    group = os.getegid()
    try:
        os.setegid(capture.proxy_gids[0])
        os.seteuid(capture.proxy_uids[0])
        yield
    except PermissionError as problem:
        raise CaptureError("to probe as root takes CAP_SETUID and CAP_SETGID; or run as the proxy's user") from problem
    finally:
        os.seteuid(0)
        os.setegid(group)

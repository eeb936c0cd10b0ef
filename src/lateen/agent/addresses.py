"""The IP addresses of the network namespace this process is in. Linux only; without a program to ask."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct

__all__ = ["pod_addresses"]

_GET_ADDRESS = 0x8915
"""SIOCGIFADDR."""
_GLOBAL_SCOPE = "00"


def pod_addresses(own: str) -> tuple[str, ...]:
    """`own` first (one or more with commas between, or nothing), then all that interfaces have. Loopback and link-local
    ones are nobody's to reach. Raises ValueError for what is no address."""
    found = [str(ipaddress.ip_address(part.strip())) for part in own.split(",") if part.strip()]
    for text in (*_v4(), *_v6()):
        address = ipaddress.ip_address(text)
        if not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified):
            found.append(str(address))
    return tuple(dict.fromkeys(found))


def _v4() -> list[str]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(any_socket, _GET_ADDRESS, struct.pack("256s", name.encode()[:15]))
            except OSError:
                continue
            found.append(socket.inet_ntoa(answer[20:24]))
    return found


def _v6() -> list[str]:
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as file:
            lines = [line.split() for line in file]
    except OSError:
        return []
    return [socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line[0])) for line in lines if line[3] == _GLOBAL_SCOPE]

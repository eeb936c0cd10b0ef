"""Interfaces, addresses, neighbors and routes, set through the kernel's netlink socket without starting a process.

Source: rtnetlink(7), netlink(7), linux/rtnetlink.h, linux/if_link.h, linux/veth.h. What `ip` would send is sent here.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import Path
from types import TracebackType
from typing import Self

from lateen.cluster.network.namespace import run_in_namespace

Address = IPv4Address | IPv6Address

_NEW_LINK, _DELETE_LINK, _GET_LINK = 16, 17, 18
_NEW_ADDRESS, _NEW_ROUTE, _NEW_NEIGHBOR = 20, 24, 28
_REQUEST, _ACKNOWLEDGE, _REPLACE, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_ERROR = 2

_LINK_ADDRESS, _LINK_NAME, _LINK_INFO, _LINK_NAMESPACE = 1, 3, 18, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_UP = 0x1
_INTERFACE_ADDRESS, _INTERFACE_LOCAL, _INTERFACE_FLAGS = 1, 2, 8
_NO_DUPLICATE_DETECTION = 0x02
_NEIGHBOR_ADDRESS, _NEIGHBOR_HARDWARE, _PERMANENT = 1, 2, 0x80
_ROUTE_DESTINATION, _ROUTE_DEVICE, _ROUTE_GATEWAY, _ROUTE_SOURCE = 1, 4, 5, 7
_MAIN_TABLE, _BOOT_PROTOCOL, _EVERYWHERE, _ON_LINK, _UNICAST = 254, 3, 0, 253, 1

_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_RECEIVED = 65536


@dataclass(frozen=True, slots=True)
class VethEnd:
    """One end of a veth pair: its name and hardware address (`0a:58:...`)."""

    name: str
    hardware: str


class RouteSocket:
    """A netlink socket in a network namespace (None: the process' own), where all its requests take effect.

    Methods raise OSError with the kernel's error number. Use it as a context manager.
    """

    def __init__(self, namespace: Path | None = None) -> None:
        self._socket = run_in_namespace(namespace, _open) if namespace is not None else _open()
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def index(self, name: str) -> int:
        """The number of an interface. Raises OSError (ENODEV) when there is none."""
        answer = self._ask(_GET_LINK, 0, _link() + _text(_LINK_NAME, name), f"link {name}")
        found: int = _LINK.unpack_from(answer)[2]
        return found

    def add_veth(self, end: VethEnd, peer: VethEnd, peer_namespace: Path) -> None:
        """Makes a pair with `end` here and `peer` in another namespace."""
        namespace = os.open(peer_namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            other = _link() + _end(peer) + _attribute(_LINK_NAMESPACE, struct.pack("=I", namespace))
            info = _text(_INFO_KIND, "veth") + _attribute(_INFO_DATA, _attribute(_VETH_PEER, other))
            request = _link() + _end(end) + _attribute(_LINK_INFO, info)
            self._ask(_NEW_LINK, _CREATE | _EXCLUSIVE, request, f"link add {end.name}")
        finally:
            os.close(namespace)

    def delete_link(self, name: str) -> None:
        """Nothing happens when there is none."""
        try:
            self._ask(_DELETE_LINK, 0, _link() + _text(_LINK_NAME, name), f"link del {name}")
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise

    def set_up(self, index: int) -> None:
        self._ask(_NEW_LINK, 0, _link(index, _UP), f"link set {index} up")

    def add_address(self, index: int, address: IPv4Interface | IPv6Interface) -> None:
        """IPv6 addresses are usable at once: nobody else can have them."""
        ip = address.ip
        body = struct.pack("=BBBBi", _family(ip), address.network.prefixlen, 0, 0, index)
        body += _attribute(_INTERFACE_LOCAL, ip.packed) + _attribute(_INTERFACE_ADDRESS, ip.packed)
        if isinstance(ip, IPv6Address):
            body += _attribute(_INTERFACE_FLAGS, struct.pack("=I", _NO_DUPLICATE_DETECTION))
        self._ask(_NEW_ADDRESS, _CREATE | _EXCLUSIVE, body, f"addr add {address}")

    def set_neighbor(self, index: int, address: Address, hardware: str) -> None:
        """Fixes the hardware address of a neighbor, whether it was known or not."""
        body = struct.pack("=BxxxiHBB", _family(address), index, _PERMANENT, 0, 0)
        body += _attribute(_NEIGHBOR_ADDRESS, address.packed) + _attribute(_NEIGHBOR_HARDWARE, _hardware(hardware))
        self._ask(_NEW_NEIGHBOR, _CREATE | _REPLACE, body, f"neigh replace {address}")

    def set_route(
        self,
        index: int,
        destination: IPv4Network | IPv6Network,
        *,
        gateway: Address | None = None,
        source: Address | None = None,
    ) -> None:
        """Adds or replaces the route to `destination` in the main table."""
        # As `ip` has it: what is reached without a gateway is on the link; IPv6 knows no scopes here.
        on_link = destination.version == 4 and gateway is None
        body = struct.pack(
            "=BBBBBBBBI",
            _family(destination.network_address),
            destination.prefixlen,
            *(0, 0, _MAIN_TABLE, _BOOT_PROTOCOL, _ON_LINK if on_link else _EVERYWHERE, _UNICAST, 0),
        )
        if destination.prefixlen:
            body += _attribute(_ROUTE_DESTINATION, destination.network_address.packed)
        body += _attribute(_ROUTE_DEVICE, struct.pack("=i", index))
        if gateway is not None:
            body += _attribute(_ROUTE_GATEWAY, gateway.packed)
        if source is not None:
            body += _attribute(_ROUTE_SOURCE, source.packed)
        self._ask(_NEW_ROUTE, _CREATE | _REPLACE, body, f"route replace {destination}")

    def _ask(self, kind: int, flags: int, body: bytes, what: str) -> bytes:
        """Sends one request and returns the body of the first answer that is no acknowledgement."""
        self._sequence += 1
        flags |= _REQUEST | _ACKNOWLEDGE
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, self._sequence, 0) + body)
        answer = b""
        while True:
            data = self._socket.recv(_RECEIVED)
            offset = 0
            while offset < len(data):
                length, answered, _, sequence, _ = _HEADER.unpack_from(data, offset)
                payload = data[offset + _HEADER.size : offset + length]
                offset += (length + 3) & ~3
                if sequence != self._sequence:
                    continue
                if answered != _ERROR:
                    answer = answer or payload
                    continue
                (code,) = struct.unpack_from("=i", payload)
                if code:
                    raise OSError(-code, os.strerror(-code), what)
                return answer


def _open() -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    opened.bind((0, 0))
    return opened


def _family(address: Address) -> int:
    return socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6


def _link(index: int = 0, flags: int = 0) -> bytes:
    return _LINK.pack(socket.AF_UNSPEC, 0, index, flags, flags)


def _end(end: VethEnd) -> bytes:
    return _text(_LINK_NAME, end.name) + _attribute(_LINK_ADDRESS, _hardware(end.hardware))


def _hardware(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)

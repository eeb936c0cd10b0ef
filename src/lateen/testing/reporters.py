"""Servers that tell whoever reaches them where they got to, and clients that ask."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from lateen.testing.namespaces import Namespace

IP_TRANSPARENT = 19
IPV6_TRANSPARENT = 75
SO_ORIGINAL_DST = 80
IP_PKTINFO = 8
_ABOUT = {
    socket.AF_INET: (socket.IPPROTO_IP, IP_PKTINFO),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO),
}
_TIMEOUT_SECONDS = 10.0


class Arrival(msgspec.Struct, frozen=True):
    """Where a connection or datagram got to."""

    place: str
    """The server's name."""
    port: int
    """That it listens on."""
    address: str
    """The destination meant by the client; of datagrams the one they arrived with."""
    meant: int
    """The port meant; of datagrams the server's."""
    client: str
    """The client's address, as the server sees it."""


@contextmanager
def reporter(
    place: str, where: Namespace, tcp: Iterable[int], udp: Iterable[int] = (), *, owner: int = 0
) -> Iterator[None]:
    """Answers on these ports of all addresses, IPv4 and IPv6, intercepted connections included, as the user and group
    `owner`."""
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for family in (socket.AF_INET, socket.AF_INET6):
            for kind, ports in ((socket.SOCK_STREAM, tcp), (socket.SOCK_DGRAM, udp)):
                for port in ports:
                    server = stack.enter_context(where.socket(family, kind, uid=owner, gid=owner))
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:
                        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                        server.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
                    else:
                        server.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
                    if kind == socket.SOCK_DGRAM:
                        server.setsockopt(*_ABOUT[family], 1)
                    server.bind(("", port))
                    if kind == socket.SOCK_STREAM:
                        server.listen()
                    selector.register(server, selectors.EVENT_READ, port)
        asked, stop = socket.socketpair()
        stack.enter_context(asked)
        selector.register(asked, selectors.EVENT_READ, 0)
        thread = threading.Thread(target=_serve, args=(selector, place))
        thread.start()
        try:
            yield
        finally:
            stop.close()
            thread.join()


def _serve(selector: selectors.BaseSelector, place: str) -> None:
    while True:
        for key, _ in selector.select():
            if key.data == 0:
                return
            server = key.fileobj
            assert isinstance(server, socket.socket)
            if server.type == socket.SOCK_STREAM:
                with server.accept()[0] as connection:
                    connection.sendall(msgspec.json.encode(_arrival(place, key.data, connection)))
            else:
                _answer(server, place, key.data)


def _answer(server: socket.socket, place: str, port: int) -> None:
    """Answers a datagram from the address it was sent to, which need not be the one that routing would choose."""
    _, about, _, client = server.recvmsg(100, 200)
    if server.family == socket.AF_INET6:
        destination = about[0][2][:16]
        item = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, destination + bytes(4))
    else:
        destination = about[0][2][8:12]
        item = (socket.IPPROTO_IP, IP_PKTINFO, bytes(4) + destination + bytes(4))
    own = Arrival(place, port, socket.inet_ntop(server.family, destination), port, client[0])
    server.sendmsg([msgspec.json.encode(own)], [item], 0, client)


def _arrival(place: str, port: int, connection: socket.socket) -> Arrival:
    ipv6 = connection.family == socket.AF_INET6
    try:
        raw = connection.getsockopt(socket.IPPROTO_IPV6 if ipv6 else socket.IPPROTO_IP, SO_ORIGINAL_DST, 28)
        address = socket.inet_ntop(connection.family, raw[8:24] if ipv6 else raw[4:8])
        meant = int.from_bytes(raw[2:4], "big")
    except OSError:
        address, meant = connection.getsockname()[:2]
    return Arrival(place, port, address, meant, connection.getpeername()[0])


def ask(
    where: Namespace,
    address: str,
    port: int,
    *,
    uid: int = 1000,
    gid: int = 1000,
    udp: bool = False,
    source: str = "",
    mark: int = 0,
) -> Arrival | None:
    """Where a connection (or datagram) of that user gets to; None if there is no answer. A `source` that is nobody's
    address here is possible too."""
    ipv6 = ":" in address
    kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
    with where.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, kind, uid=uid, gid=gid) as client:
        client.settimeout(_TIMEOUT_SECONDS)
        if mark:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        if source:
            level, option = (socket.IPPROTO_IPV6, IPV6_TRANSPARENT) if ipv6 else (socket.IPPROTO_IP, IP_TRANSPARENT)
            client.setsockopt(level, option, 1)
            client.bind((source, 0))
        try:
            client.connect((address, port))
            if udp:
                client.send(b"where")
            return msgspec.json.decode(client.recv(1000), type=Arrival)
        except OSError:
            return None

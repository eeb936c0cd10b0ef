"""Fabrics of our own with pods in them, and programs that listen and connect inside of them."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lateen.cluster import network
from lateen.cluster.layout import Layout
from lateen.cluster.network.namespace import NAMED, run_in_namespace


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Machines:
    """Listens and connects in namespaces; everything is closed at the end of the test."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def serve(self, namespace: Path, port: int, name: str, address: str = "::") -> None:
        """A TCP and a UDP server that answer with `name` and the address they see."""

        def listen() -> tuple[socket.socket, socket.socket]:
            tcp = socket.create_server((address, port), family=family_of(address), dualstack_ipv6=address == "::")
            udp = socket.socket(family_of(address), socket.SOCK_DGRAM)
            if address == "::":
                udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            udp.bind((address, port))
            return tcp, udp

        tcp, udp = run_in_namespace(namespace, listen)
        self._sockets += [tcp, udp]
        threading.Thread(target=self._serve_tcp, args=(tcp, name), daemon=True).start()
        threading.Thread(target=self._serve_udp, args=(udp, name), daemon=True).start()

    def ask(self, namespace: Path | None, address: str, port: int, *, timeout: float = 30.0) -> tuple[str, str]:
        """Who answers a TCP connection, and which source address it saw. Raises OSError."""

        def connect() -> bytes:
            with socket.create_connection((address, port), timeout) as connection:
                return connection.recv(200)

        return self._answer(run_in_namespace(namespace, connect) if namespace else connect())

    def ask_udp(self, client: socket.socket, address: str, port: int) -> tuple[str, str]:
        client.settimeout(30.0)
        client.sendto(b"?", (address, port))
        return self._answer(client.recv(200))

    def udp_client(self, namespace: Path, address: str) -> socket.socket:
        client = run_in_namespace(namespace, lambda: socket.socket(family_of(address), socket.SOCK_DGRAM))
        self._sockets.append(client)
        return client

    def close(self) -> None:
        for item in self._sockets:
            try:
                item.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            finally:
                item.close()

    @staticmethod
    def _answer(data: bytes) -> tuple[str, str]:
        name, _, source = data.decode().partition(" ")
        return name, source.removeprefix("::ffff:")

    @staticmethod
    def _serve_tcp(server: socket.socket, name: str) -> None:
        while True:
            try:
                connection, source = server.accept()
                with connection:
                    connection.sendall(f"{name} {source[0]}".encode())
            except OSError:
                return

    @staticmethod
    def _serve_udp(server: socket.socket, name: str) -> None:
        while True:
            try:
                data, source = server.recvfrom(100)
                if not data:
                    return
                server.sendto(f"{name} {source[0]}".encode(), source)
            except OSError:
                return


@pytest.fixture
def machines() -> Iterator[Machines]:
    made = Machines()
    yield made
    made.close()


@pytest.fixture
def make_layout(tmp_path: Path) -> Iterator[Callable[[], Layout]]:
    """Layouts on free ranges with a directory each; what was made on them is removed."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    made: list[Layout] = []

    def make() -> Layout:
        indexes = [n for n in range(40, 63) if n not in [layout.index for layout in made]]
        secrets.SystemRandom().shuffle(indexes)
        for index in indexes:
            name = f"t{secrets.token_hex(3)}"
            layout = Layout(name, index, tmp_path / name)
            if not network.range_conflicts(layout):
                layout.root.mkdir()
                made.append(layout)
                return layout
        raise AssertionError("no free index")

    yield make
    for layout in made:
        network.delete_fabric(layout)


def node_namespace(layout: Layout, number: int) -> Path:
    return NAMED / layout.node(number).netns


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": name, "uid": f"uid-{name}"}, "spec": spec}

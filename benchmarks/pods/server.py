"""The server of the mesh benchmarks: as little as answers HTTP/1.1 with keep-alive; what is measured is the mesh."""

from __future__ import annotations

import socket
import sys
import threading

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok"


def serve(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        held = b""
        while data := connection.recv(65536):
            held += data
            while (end := held.find(b"\r\n\r\n")) >= 0:
                held = held[end + 4 :]
                connection.sendall(_ANSWER)


def main() -> None:
    with socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=128) as listening:
        while True:
            threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    main()

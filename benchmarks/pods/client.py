"""The client of the mesh benchmarks: requests one after another on one connection; prints their durations.

`client.py HOST PORT COUNT` writes a JSON list of microseconds to standard output.
"""

from __future__ import annotations

import json
import socket
import sys
import time


def main() -> None:
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    request = f"GET / HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
    with socket.create_connection((host, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        taken = []
        for _ in range(count):
            started = time.perf_counter()
            connection.sendall(request)
            answer = connection.recv(65536)
            while not answer.endswith(b"\r\n\r\nok"):
                more = connection.recv(65536)
                if not more:
                    raise SystemExit(f"cut off: {answer!r}")
                answer += more
            taken.append(round((time.perf_counter() - started) * 1e6))
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"unexpected answer: {answer!r}")
    print(json.dumps(taken))


if __name__ == "__main__":
    main()

"""Asks for things over the network and prints what came of it; runs inside pods, nodes and on the host.

`probe.py REQUESTS`, a JSON list of objects; prints a JSON list of sorted outcomes, one list for each. A request is
`{"http": "host:port/path"}` (a connection of its own each), `{"udp": "host:port", "send": text}`, or
`{"name": host}`. It is repeated `times` times (once there is silence, no more), and all that again until the outcomes
are `expect` or the patience for all requests together is at its end.
`probe.py --until-eof HTTP` asks one thing until standard input ends, and prints how often each outcome came.
"""

from __future__ import annotations

import collections
import errno
import http.client
import json
import select
import socket
import sys
import time
from typing import Any

PATIENCE_SECONDS = 20.0
PAUSE_SECONDS = 0.05
# Who sends from where the packet is refused gets EPERM for a datagram.
_ERRORS = {
    errno.ECONNREFUSED: "refused",
    errno.EPERM: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
}


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _http(target: str, wait: float) -> str:
    place, _, path = target.partition("/")
    connection = http.client.HTTPConnection(*_place(place), timeout=wait)
    try:
        connection.request("GET", f"/{path}", headers={"Connection": "close"})
        response = connection.getresponse()
        text = response.read().decode()
        return text if response.status == 200 else f"{response.status} {text}"
    finally:
        connection.close()


def _udp(target: str, text: str, wait: float) -> str:
    ((family, _, _, _, address), *_) = socket.getaddrinfo(*_place(target), type=socket.SOCK_DGRAM)
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(wait)
        client.connect(address)
        client.send(text.encode())
        return client.recv(2048).decode()


def _once(request: dict[str, Any]) -> list[str]:
    wait = float(request.get("wait", 5.0))
    try:
        if "http" in request:
            return [_http(request["http"], wait)]
        if "udp" in request:
            return [_udp(request["udp"], request["send"], wait)]
        return [str(found[4][0]) for found in socket.getaddrinfo(request["name"], None, type=socket.SOCK_STREAM)]
    except TimeoutError:
        return ["silence"]
    except socket.gaierror as error:
        return [{socket.EAI_NONAME: "no name", socket.EAI_NODATA: "no name"}.get(error.errno, str(error))]
    except OSError as error:
        return [_ERRORS.get(error.errno or 0, repr(error))]


def _several(request: dict[str, Any]) -> set[str]:
    outcomes: set[str] = set()
    for _ in range(int(request.get("times", 1))):
        outcomes |= set(_once(request))
        if "silence" in outcomes:
            break
    return outcomes


def _answer(request: dict[str, Any], deadline: float) -> list[str]:
    while True:
        outcomes = sorted(_several(request))
        if outcomes == sorted(request.get("expect", outcomes)) or time.monotonic() > deadline:
            return outcomes
        time.sleep(PAUSE_SECONDS)


def _until_eof(target: str) -> dict[str, int]:
    outcomes: collections.Counter[str] = collections.Counter()
    while not select.select([sys.stdin], [], [], 0)[0]:
        outcomes[_once({"http": target})[0]] += 1
        if outcomes.total() == 1:
            print("begun", flush=True)
    return dict(outcomes)


if __name__ == "__main__":
    if sys.argv[1] == "--until-eof":
        print(json.dumps(_until_eof(sys.argv[2])))
    else:
        deadline = time.monotonic() + PATIENCE_SECONDS
        print(json.dumps([_answer(request, deadline) for request in json.loads(sys.argv[1])]))

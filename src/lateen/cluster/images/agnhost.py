"""The part of Kubernetes' test image `agnhost` that examples use: `netexec` and `pause`."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import threading
from typing import cast
from urllib.parse import parse_qs, urlsplit

from lateen.cluster.images.http_server import Request, Response, serve


def respond(request: Request) -> Response:
    """`/hostname`, `/clientip`, `/echo?msg=`, `/healthz`, `/exit?code=`, `/`."""
    url = urlsplit(request.target)
    query = parse_qs(url.query)
    match url.path.lower():
        case "/hostname":
            return Response(socket.gethostname().encode())
        case "/clientip":
            return Response(request.peer.encode())
        case "/echo":
            return Response(query.get("msg", [""])[0].encode())
        case "/healthz" | "/":
            return Response(b"ok")
        case "/exit":
            os._exit(int(query.get("code", ["0"])[0]))
    return Response(b"404 page not found\n", 404)


class UdpEcho(asyncio.DatagramProtocol):
    """`hostname`, `clientip` and `echo TEXT` by UDP."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own datagram transport is no subclass of its abstract one.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        command, _, text = data.decode(errors="replace").strip().partition(" ")
        answers = {"hostname": socket.gethostname(), "clientip": addr[0].removeprefix("::ffff:"), "echo": text}
        if command.lower() in answers:
            self._transport.sendto(answers[command.lower()].encode(), addr)


def _log(request: Request, _response: Response) -> None:
    print(f"{request.method} {request.target}", flush=True)


async def _netexec(http_port: int, udp_port: int) -> None:
    loop = asyncio.get_running_loop()
    if udp_port > 0:
        await loop.create_datagram_endpoint(UdpEcho, local_addr=("::", udp_port))
    await serve(respond, http_port, server="agnhost", log=_log)


def main() -> None:
    parser = argparse.ArgumentParser(prog="agnhost", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("pause")
    netexec = commands.add_parser("netexec")
    netexec.add_argument("--http-port", type=int, default=8080)
    netexec.add_argument("--udp-port", type=int, default=8081)
    serve_hostname = commands.add_parser("serve-hostname")
    serve_hostname.add_argument("--port", type=int, default=9376)
    options = parser.parse_args()
    if options.command == "netexec":
        asyncio.run(_netexec(options.http_port, options.udp_port))
    elif options.command == "serve-hostname":
        answer = Response(socket.gethostname().encode())
        asyncio.run(serve(lambda _request: answer, options.port, server="agnhost", log=_log))
    else:
        ended = threading.Event()
        signal.signal(signal.SIGTERM, lambda _number, _frame: ended.set())
        ended.wait()


if __name__ == "__main__":
    main()

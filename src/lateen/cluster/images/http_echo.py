"""Answers every HTTP request with one text; takes the flags of hashicorp/http-echo."""

from __future__ import annotations

import argparse
import asyncio
import os

from lateen.cluster.images.http_server import Request, Response, serve


def _log(request: Request, response: Response) -> None:
    print(
        f'{request.header("host")} {request.peer} "{request.method} {request.target} HTTP/1.1" {response.status} '
        f'{len(response.body)} "{request.header("user-agent")}"',
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="http-echo", description=__doc__)
    parser.add_argument("-text", "--text", default=os.environ.get("ECHO_TEXT", "hello-world"))
    parser.add_argument("-listen", "--listen", default=":5678", help="address, such as :5678")
    parser.add_argument("-status-code", "--status-code", type=int, default=200)
    options = parser.parse_args()
    response = Response(options.text.encode() + b"\n", options.status_code, headers=(("X-App-Name", "http-echo"),))
    port = int(options.listen.rpartition(":")[2])
    asyncio.run(serve(lambda _request: response, port, server="http-echo", log=_log))


if __name__ == "__main__":
    main()

"""Answers every HTTP request with what it was: a JSON object with the request, the pod and the connection."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
from urllib.parse import parse_qs, urlsplit

from lateen.cluster.images.http_server import Request, Response, serve


def respond(request: Request) -> Response:
    """`?status=N` asks for that status code."""
    url = urlsplit(request.target)
    query = parse_qs(url.query)
    described = {
        "host": {"hostname": request.header("host"), "ip": request.local, "peer": request.peer},
        "http": {"method": request.method, "path": url.path, "query": query},
        "request": {
            "headers": {name.lower(): value for name, value in request.headers},
            "body": request.body.decode(errors="replace"),
        },
        "pod": os.environ.get("POD_NAME") or socket.gethostname(),
        "version": os.environ.get("VERSION", ""),
    }
    status = query.get("status", ["200"])[0]
    code = int(status) if status.isdigit() and 200 <= int(status) <= 599 else 200
    return Response(json.dumps(described, indent=2).encode() + b"\n", code, "application/json")


def _log(request: Request, response: Response) -> None:
    print(f"{request.peer} {request.method} {request.target} {response.status}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="echo", description=__doc__)
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8080))
    options = parser.parse_args()
    asyncio.run(serve(respond, options.port, server="lateen-echo", log=_log))


if __name__ == "__main__":
    main()

"""`pilot-agent request METHOD PATH [BODY]`: asks Envoy's admin interface, and prints what it says."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from lateen.agent.http_client import Origin, request

_TIMEOUT = 60.0
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD")
_EXAMPLES = """Examples:
  pilot-agent request GET /clusters
  pilot-agent request GET 'stats?filter=upstream_cx'
  pilot-agent request POST 'logging?level=debug'
  pilot-agent request --debug-port 15020 GET /healthz/ready
"""


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 if the answer is 2xx, else 1, with what is wrong on standard error."""
    parser = argparse.ArgumentParser(
        prog="pilot-agent request",
        description="Ask Envoy's admin interface.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("method", type=str.upper, choices=_METHODS, metavar="METHOD", help="GET or POST")
    parser.add_argument("path", metavar="PATH", help="such as /config_dump or stats")
    parser.add_argument("body", nargs="?", default="", metavar="BODY")
    parser.add_argument("--debug-port", type=int, default=15000, metavar="PORT", help="its port (default: 15000)")
    found = parser.parse_args(arguments)
    path = found.path if found.path.startswith("/") else f"/{found.path}"
    if any(not "!" <= c <= "~" for c in path):
        parser.error(f"{found.path!r} is not a path: write other characters as %XX")
    try:
        return asyncio.run(_ask(Origin("localhost", found.debug_port), found.method, path, found.body.encode()))
    except TimeoutError:
        problem = f"no answer within {_TIMEOUT:g} s"
    except OSError as error:
        problem = f"{error}; is Envoy running?"
    print(f"pilot-agent request: {found.method} {path} at port {found.debug_port}: {problem}", file=sys.stderr)
    return 1


async def _ask(origin: Origin, method: str, path: str, body: bytes) -> int:
    async with asyncio.timeout(_TIMEOUT), request(origin, method, path, body=body) as answer:
        good = 200 <= answer.status < 300
        output = sys.stdout.buffer if good else sys.stderr.buffer
        if not good:
            output.write(f"{method} {path}: {answer.status}\n".encode())
        async for piece in answer.pieces():
            output.write(piece)
        output.flush()
    return 0 if good else 1

"""`pilot-agent wait`: ends when the proxy is ready. The hook that holds an application back until then."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from lateen.agent.http_client import Origin, request

_MAX_ANSWER = 4096
_EXAMPLES = """Examples:
  pilot-agent wait
  pilot-agent wait --timeoutSeconds 120 --periodMillis 200
"""


def main(arguments: Sequence[str]) -> int:
    """The exit status: 0 when it is ready, 1 when it was not in time, with what was missing on standard error."""
    parser = argparse.ArgumentParser(
        prog="pilot-agent wait",
        description="Wait until the proxy is ready.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", default="http://localhost:15021/healthz/ready", help="what to ask (%(default)s)")
    parser.add_argument(
        "--timeoutSeconds", dest="timeout", type=_positive, default=60, help="give up after (%(default)s)"
    )
    parser.add_argument(
        "--periodMillis", dest="period", type=_positive, default=500, help="between two tries (%(default)s)"
    )
    parser.add_argument(
        "--requestTimeoutMillis", dest="request", type=_positive, default=500, help="for an answer (%(default)s)"
    )
    found = parser.parse_args(arguments)
    try:
        origin, target = _parse(found.url)
    except ValueError as error:
        parser.error(f"--url {found.url!r}: {error}")
    began = time.monotonic()
    missing = asyncio.run(_wait(origin, target, found.timeout, found.period / 1000, found.request / 1000))
    if missing:
        print(f"pilot-agent wait: not ready within {found.timeout} s: {missing}", file=sys.stderr)
        return 1
    print(f"The proxy is ready after {time.monotonic() - began:.1f} s")
    return 0


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _parse(url: str) -> tuple[Origin, str]:
    found = urlsplit(url)
    if found.scheme != "http" or not found.hostname:
        raise ValueError("http://HOST:PORT/PATH is expected")
    if any(not "!" <= c <= "~" for c in url):
        raise ValueError("write other characters as %XX")
    return Origin(found.hostname, found.port or 80), (found.path or "/") + (f"?{found.query}" if found.query else "")


async def _wait(origin: Origin, target: str, timeout: float, period: float, patience: float) -> str:
    """Empty when it is ready, else what was missing last. Seconds."""
    missing = "no answer"
    try:
        async with asyncio.timeout(timeout):
            while True:
                began = time.monotonic()
                try:
                    async with asyncio.timeout(patience), request(origin, "GET", target) as answer:
                        if answer.status == 200:
                            return ""
                        body = (await answer.read(_MAX_ANSWER)).decode("utf-8", "replace")
                        missing = "; ".join(body.splitlines()) or f"it answers {answer.status}"
                except TimeoutError:
                    missing = f"no answer within {patience:g} s"
                except OSError as error:
                    missing = str(error)
                await asyncio.sleep(max(0.0, period - (time.monotonic() - began)))
    except TimeoutError:
        return missing

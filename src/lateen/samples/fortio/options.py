"""fortio's command line: options with one dash, as Go's `flag` has them. What is not here is refused."""

from __future__ import annotations

import argparse
import re

from lateen.samples.http_arguments import header, url

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_MAX_CONNECTIONS = 1000


def duration(text: str) -> float:
    """`250ms`, `30s`, `1m30s` in seconds. Raises argparse.ArgumentTypeError."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a duration as 30s or 1m30s")
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))


def _url(text: str) -> str:
    """HTTP where nothing is said."""
    return url(text if "://" in text else f"http://{text}")


def _connections(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _MAX_CONNECTIONS:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 1 to {_MAX_CONNECTIONS}")
    return int(text)


def _not_negative(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0 to 1000000")
    return value


def parser() -> argparse.ArgumentParser:
    """`command`: load, curl or server."""
    whole = argparse.ArgumentParser(prog="fortio", allow_abbrev=False)
    commands = whole.add_subparsers(dest="command", required=True)
    load = commands.add_parser("load", allow_abbrev=False, help="many requests, and how they ended")
    curl = commands.add_parser("curl", allow_abbrev=False, help="one request, with its answer")
    server = commands.add_parser("server", allow_abbrev=False, help="answers with the body that it got")
    for each in (load, curl):
        each.add_argument("url", type=_url)
        each.add_argument("-H", type=header, action="append", default=[], metavar="NAME:VALUE")
        each.add_argument("-timeout", type=duration, default=3.0, help="of one request (3s)")
        each.add_argument("-k", action="store_true", help="any certificate will do")
        each.add_argument(
            "-loglevel", choices=("Debug", "Verbose", "Info", "Warning", "Error", "Fatal"), default="Info"
        )
        each.add_argument("-quiet", action="store_true", help="no more than the answer")
    load.add_argument("-c", type=_connections, default=4, help="connections (4)")
    load.add_argument("-n", type=int, default=0, help="requests; 0: until -t is over")
    load.add_argument("-qps", type=_not_negative, default=8.0, help="requests a second; 0: as fast as it goes (8)")
    load.add_argument("-t", type=duration, default=5.0, help="how long (5s)")
    load.add_argument("-curl", action="store_true", help="one request, with its answer")
    load.add_argument("-allow-initial-errors", action="store_true", help="as always here: errors are counted")
    server.add_argument("-http-port", type=int, default=8080)
    return whole

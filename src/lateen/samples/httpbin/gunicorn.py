"""httpbin started as the manifests of the Python one start it: `gunicorn -b 0.0.0.0:8080 httpbin:app -k gevent`."""

from __future__ import annotations

import argparse
import re

from lateen.samples.httpbin.app import httpbin
from lateen.samples.serving import run, say

_BIND = re.compile(r"(?:0\.0\.0\.0|\[::\]|)?:(\d{1,5})")


def port_of(bind: str) -> int:
    """`0.0.0.0:80` -> 80. Raises argparse.ArgumentTypeError for an address that is not every address."""
    found = _BIND.fullmatch(bind)
    if not found or not 0 < int(found[1]) < 65536:
        raise argparse.ArgumentTypeError(f"{bind!r}: expected 0.0.0.0:PORT or [::]:PORT")
    return int(found[1])


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="gunicorn", allow_abbrev=False)
    options.add_argument("-b", "--bind", type=port_of, action="append", metavar="ADDRESS:PORT")
    options.add_argument("-k", "--worker-class", metavar="CLASS")
    options.add_argument("-w", "--workers", type=int)
    options.add_argument("--access-logfile", choices=["-"], help="requests are logged there, always")
    options.add_argument("application", choices=["httpbin:app"])
    return options


def main() -> None:
    chosen = parser().parse_args()
    if chosen.worker_class or chosen.workers:
        say("one process serves all requests: --worker-class and --workers make no difference")
    run(httpbin("python"), chosen.bind or [8000])


if __name__ == "__main__":
    main()

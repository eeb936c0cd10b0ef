"""httpbin with its own options, which are also go-httpbin's: `-port 8080`; HOST and PORT in the environment."""

from __future__ import annotations

import argparse
import os

from lateen.samples.httpbin.app import httpbin
from lateen.samples.serving import run


def main() -> None:
    parser = argparse.ArgumentParser(prog="httpbin", description="HTTP requests, told back", allow_abbrev=False)
    parser.add_argument("-port", "--port", type=int, default=os.environ.get("PORT") or 8080)
    parser.add_argument("-host", "--host", default=os.environ.get("HOST") or "0.0.0.0", help="every address, always")
    parser.add_argument("--style", choices=("go", "python"), default="go", help="the shape of the JSON")
    chosen = parser.parse_args()
    if chosen.host not in ("0.0.0.0", "::"):
        parser.error(f"--host {chosen.host}: it listens on every address; expected 0.0.0.0 or ::")
    run(httpbin(chosen.style), [chosen.port])


if __name__ == "__main__":
    main()

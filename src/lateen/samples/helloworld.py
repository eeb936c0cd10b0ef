"""A greeting that tells version and instance: `python -m lateen.samples.helloworld`, port 5000.

SERVICE_VERSION and HOSTNAME of the environment are what it tells.
"""

from __future__ import annotations

import argparse
import os

from aiohttp import web

from lateen.samples.serving import application, run


def helloworld(version: str, instance: str) -> web.Application:
    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text=f"Hello version: {version}, instance: {instance}\n")

    async def health(_request: web.Request) -> web.Response:
        return web.Response(text="Helloworld is healthy")

    app = application()
    app.router.add_get("/hello", hello)
    app.router.add_get("/health", health)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="A greeting that tells version and instance")
    parser.add_argument("--port", type=int, default=5000)
    port = parser.parse_args().port
    run(helloworld(os.environ.get("SERVICE_VERSION", "unknown"), os.environ.get("HOSTNAME", "unknown")), [port])


if __name__ == "__main__":
    main()

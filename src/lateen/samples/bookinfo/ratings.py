"""The ratings service: stars that reviewers gave. `python -m lateen.samples.bookinfo.ratings [PORT]`.

GET /ratings/N answers; POST /ratings/N with a JSON object of reviewer to stars replaces, in this process' memory.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from aiohttp import web

from lateen.samples.bookinfo.addresses import PORT
from lateen.samples.serving import application, run

_STARS = {"Reviewer1": 5, "Reviewer2": 4}
_MAX_BOOKS = 1000


def _book(request: web.Request) -> int:
    text = request.match_info["book"]
    if not text.isdecimal() or len(text) > 9:
        raise web.HTTPBadRequest(
            text=json.dumps({"error": "please provide numeric product ID"}), content_type="application/json"
        )
    return int(text)


class Ratings:
    """What was posted counts for a book instead of what every book has."""

    def __init__(self) -> None:
        self._posted: dict[int, dict[str, Any]] = {}

    async def get(self, request: web.Request) -> web.Response:
        book = _book(request)
        return web.json_response({"id": book, "ratings": self._posted.get(book, _STARS)})

    async def post(self, request: web.Request) -> web.Response:
        book = _book(request)
        try:
            given = await request.json()
        except ValueError:
            given = None
        if not isinstance(given, dict):
            return web.json_response({"error": "please provide valid ratings JSON"}, status=400)
        if book not in self._posted and len(self._posted) >= _MAX_BOOKS:
            return web.json_response({"error": f"ratings of {_MAX_BOOKS} books are kept, no more"}, status=507)
        self._posted[book] = given
        return web.json_response({"id": book, "ratings": given})


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "Ratings is healthy"})


def ratings() -> web.Application:
    app = application(max_body=64 << 10)
    service = Ratings()
    app.router.add_get("/health", _health)
    app.router.add_get("/ratings/{book}", service.get)
    app.router.add_post("/ratings/{book}", service.post)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="Bookinfo: ratings")
    parser.add_argument("port", type=int, nargs="?", default=PORT)
    run(ratings(), [parser.parse_args().port])


if __name__ == "__main__":
    main()

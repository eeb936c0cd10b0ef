"""The reviews service. `python -m lateen.samples.bookinfo.reviews [PORT]`.

ENABLE_RATINGS=true asks the ratings service for stars (versions 2 and 3), in STAR_COLOR: black by default (version 2).
Version 2 waits 10 s for ratings and version 3 waits 2.5 s: a delay of 7 s makes the one late and the other starless.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from lateen.samples.bookinfo.addresses import PORT, base_url
from lateen.samples.bookinfo.forwarding import forwarded
from lateen.samples.bookinfo.patience import patience
from lateen.samples.bookinfo.upstream import Unavailable, get_json, session
from lateen.samples.serving import application, run, say

_TEXTS = (
    ("Reviewer1", "An extremely entertaining play by Shakespeare. The slapstick humour is refreshing!"),
    (
        "Reviewer2",
        "Absolutely fun and entertaining. The play lacks thematic depth when compared to other plays by Shakespeare.",
    ),
)
_CLIENT = web.AppKey("client", aiohttp.ClientSession)


@dataclass(frozen=True, slots=True)
class Settings:
    """What tells the versions apart, and where ratings are."""

    with_ratings: bool
    color: str
    seconds: float
    """How long to wait for ratings."""
    ratings_url: str
    pod: str
    cluster: str | None


def settings(environment: Mapping[str, str]) -> Settings:
    """From the environment variables of the public manifests. Raises ValueError."""
    color = environment.get("STAR_COLOR") or "black"
    return Settings(
        with_ratings=environment.get("ENABLE_RATINGS", "").lower() == "true",
        color=color,
        seconds=patience(environment, 10.0 if color == "black" else 2.5),
        ratings_url=base_url("ratings", environment),
        pod=environment.get("HOSTNAME", ""),
        cluster=environment.get("CLUSTER_NAME"),
    )


def review(reviewer: str, text: str, stars: Any, color: str) -> dict[str, Any]:
    """One review with its rating; `stars` is what ratings said of the reviewer, None when it said nothing usable."""
    usable = isinstance(stars, int) and not isinstance(stars, bool)
    rating = {"stars": stars, "color": color} if usable else {"error": "Ratings service is currently unavailable"}
    return {"reviewer": reviewer, "text": text, "rating": rating}


class Reviews:
    def __init__(self, chosen: Settings) -> None:
        self._settings = chosen

    async def get(self, request: web.Request) -> web.Response:
        book = request.match_info["book"]
        if self._settings.with_ratings:
            stars = await self._stars(request, book)
            found = [review(name, text, stars.get(name), self._settings.color) for name, text in _TEXTS]
        else:
            found = [{"reviewer": name, "text": text} for name, text in _TEXTS]
        of = {"id": book, "podname": self._settings.pod, "clustername": self._settings.cluster}
        return web.json_response({**of, "reviews": found})

    async def _stars(self, request: web.Request, book: str) -> dict[str, Any]:
        url = f"{self._settings.ratings_url}/ratings/{book}"
        try:
            answer = await get_json(
                request.app[_CLIENT], url, forwarded(request.headers), seconds=self._settings.seconds
            )
        except Unavailable as error:
            say(f"unable to contact ratings: {error}")
            return {}
        stars = answer.get("ratings") if isinstance(answer, dict) else None
        return stars if isinstance(stars, dict) else {}


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "Reviews is healthy"})


async def _client(app: web.Application) -> AsyncIterator[None]:
    async with session() as app[_CLIENT]:
        yield


def reviews(chosen: Settings) -> web.Application:
    app = application()
    service = Reviews(chosen)
    app.cleanup_ctx.append(_client)
    app.router.add_get("/health", _health)
    app.router.add_get(r"/reviews/{book:\d{1,9}}", service.get)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="Bookinfo: reviews")
    parser.add_argument("port", type=int, nargs="?", default=PORT)
    port = parser.parse_args().port
    try:
        app = reviews(settings(os.environ))
    except ValueError as error:
        parser.error(str(error))
    run(app, [port])


if __name__ == "__main__":
    main()

"""The productpage service: the shop's one page, and its API. `python -m lateen.samples.bookinfo.productpage [PORT]`.

Signing in is a name in a cookie and no proof of anything: it sets the header `end-user` of the requests to the services
behind, by which a mesh can route. Reviews are tried twice, 3 s each (UPSTREAM_SECONDS); with ratings 7 s late the page
gives up after 6 s though every service would have answered, which is the mistake that the fault injection task is to
find.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from lateen.samples.bookinfo.addresses import PORT, base_url
from lateen.samples.bookinfo.forwarding import forwarded
from lateen.samples.bookinfo.page import CONTENT_SECURITY_POLICY, Book, book_page, front_page
from lateen.samples.bookinfo.patience import patience
from lateen.samples.bookinfo.upstream import Unavailable, get_json, session
from lateen.samples.serving import application, run, say

BOOKS = (
    Book(
        0,
        "The Comedy of Errors",
        "The Comedy of Errors is one of William Shakespeare's early plays. It is his shortest and one of his most "
        "farcical comedies: two pairs of twins, parted at birth, and one town too small for all four of them.",
        "https://en.wikipedia.org/wiki/The_Comedy_of_Errors",
    ),
)
_SECONDS = 3.0
_ATTEMPTS = {"details": 1, "reviews": 2, "ratings": 1}
_USER = re.compile(r"[\w.@+-][\w.@+ -]{0,63}", re.ASCII)
_MAX_FLOOD = 1000
_CLIENT = web.AppKey("client", aiohttp.ClientSession)


@dataclass(frozen=True, slots=True)
class Settings:
    urls: Mapping[str, str]
    """Of details, reviews and ratings."""
    flood: int
    """So many requests to reviews more with every page, for the tasks on rate limits."""
    seconds: float = _SECONDS
    """How long to wait for each answer."""


def settings(environment: Mapping[str, str]) -> Settings:
    """From the environment variables of the public manifests. Raises ValueError."""
    flood = environment.get("FLOOD_FACTOR") or "0"
    if not flood.isdecimal() or int(flood) > _MAX_FLOOD:
        raise ValueError(f"FLOOD_FACTOR is {flood!r}; expected a number from 0 to {_MAX_FLOOD}")
    return Settings(
        {name: base_url(name, environment) for name in _ATTEMPTS}, int(flood), patience(environment, _SECONDS)
    )


def signed_in(request: web.Request) -> str:
    """The name in the cookie; empty when there is none, or one that could not be a name."""
    name = request.cookies.get("user", "")
    return name if _USER.fullmatch(name) else ""


class ProductPage:
    def __init__(self, chosen: Settings) -> None:
        self._settings = chosen
        self._asked: Counter[tuple[str, int]] = Counter()

    async def front(self, _request: web.Request) -> web.Response:
        return _html(front_page())

    async def page(self, request: web.Request) -> web.Response:
        book = BOOKS[0]
        async with asyncio.TaskGroup() as group:
            details = group.create_task(self._ask(request, "details", str(book.id)))
            for _ in range(self._settings.flood):
                group.create_task(self._ask(request, "reviews", str(book.id)))
            reviews = group.create_task(self._ask(request, "reviews", str(book.id)))
        return _html(book_page(book, details.result()[1], reviews.result()[1], signed_in(request)))

    async def books(self, _request: web.Request) -> web.Response:
        return web.json_response(
            [{"id": book.id, "title": book.title, "descriptionHtml": book.description} for book in BOOKS]
        )

    async def details(self, request: web.Request) -> web.Response:
        return await self._relay(request, "details")

    async def reviews(self, request: web.Request) -> web.Response:
        return await self._relay(request, "reviews")

    async def ratings(self, request: web.Request) -> web.Response:
        return await self._relay(request, "ratings")

    async def metrics(self, _request: web.Request) -> web.Response:
        """How requests to the services behind ended, for Prometheus."""
        lines = ["# HELP request_result_total Results of requests", "# TYPE request_result_total counter"]
        for (service, status), count in sorted(self._asked.items()):
            lines.append(f'request_result_total{{destination_app="{service}",response_code="{status}"}} {count}')
        return web.Response(text="\n".join(lines) + "\n")

    async def login(self, request: web.Request) -> web.Response:
        form = await request.post()
        name = form.get("username", "")
        if not isinstance(name, str) or not _USER.fullmatch(name):
            raise web.HTTPBadRequest(text="username: expected 1 to 64 letters, digits, or one of . @ + _ -\n")
        response = _to_page()
        response.set_cookie("user", name, httponly=True, samesite="Lax")
        return response

    async def logout(self, _request: web.Request) -> web.Response:
        response = _to_page()
        response.del_cookie("user")
        return response

    async def _relay(self, request: web.Request, service: str) -> web.Response:
        status, answer = await self._ask(request, service, request.match_info["book"])
        return web.json_response(answer, status=status)

    async def _ask(self, request: web.Request, service: str, book: str) -> tuple[int, Any]:
        """Status and JSON of a service; when it fails, what everybody knows the page to say."""
        headers = forwarded(request.headers)
        if user := signed_in(request):
            headers["end-user"] = user
        status = 500
        for _ in range(_ATTEMPTS[service]):
            try:
                url = f"{self._settings.urls[service]}/{service}/{book}"
                answer = await get_json(request.app[_CLIENT], url, headers, seconds=self._settings.seconds)
                self._asked[service, 200] += 1
                return 200, answer
            except Unavailable as error:
                status = error.status
                self._asked[service, status] += 1
                say(f"unable to contact {service}: {error}")
        return status, {"error": f"Sorry, product {service} are currently unavailable for this book."}


def _html(text: str) -> web.Response:
    headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": "no-store"}
    return web.Response(text=text, content_type="text/html", headers=headers)


def _to_page() -> web.Response:
    # Always this page, never the Referer: a redirect that strangers can aim is a gift to them.
    return web.Response(status=302, headers={"Location": "/productpage"})


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="Product page is healthy")


async def _client(app: web.Application) -> AsyncIterator[None]:
    async with session() as app[_CLIENT]:
        yield


def productpage(chosen: Settings) -> web.Application:
    app = application(max_body=16 << 10)
    service = ProductPage(chosen)
    app.cleanup_ctx.append(_client)
    book = r"/api/v1/products/{book:[A-Za-z0-9_-]{1,32}}"
    app.router.add_get("/", service.front)
    app.router.add_get("/index.html", service.front)
    app.router.add_get("/health", _health)
    app.router.add_get("/metrics", service.metrics)
    app.router.add_get("/productpage", service.page)
    app.router.add_post("/login", service.login)
    app.router.add_get("/logout", service.logout)
    app.router.add_get("/api/v1/products", service.books)
    app.router.add_get(book, service.details)
    app.router.add_get(f"{book}/reviews", service.reviews)
    app.router.add_get(f"{book}/ratings", service.ratings)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="Bookinfo: productpage")
    parser.add_argument("port", type=int, nargs="?", default=PORT)
    port = parser.parse_args().port
    try:
        app = productpage(settings(os.environ))
    except ValueError as error:
        parser.error(str(error))
    run(app, [port])


if __name__ == "__main__":
    main()

"""The details service: what is printed on the book. `python -m lateen.samples.bookinfo.details [PORT]`.

Version 2 (ENABLE_EXTERNAL_BOOK_SERVICE=true) asks a book service outside the cluster instead, over HTTPS, or over plain
HTTP with DO_NOT_ENCRYPT=true, so that a mesh can begin the TLS.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
from aiohttp import web

from lateen.samples.bookinfo.addresses import PORT
from lateen.samples.bookinfo.forwarding import TRACE
from lateen.samples.bookinfo.upstream import Unavailable, get_json, session
from lateen.samples.serving import application, run

_BOOK_SERVICE = "www.googleapis.com"
_ISBN = "0486424618"
_SECONDS = 5.0
_CLIENT = web.AppKey("client", aiohttp.ClientSession)


def book_service(environment: Mapping[str, str]) -> str | None:
    """Base URL of the book service to ask, None for the book that the program knows itself."""
    if environment.get("ENABLE_EXTERNAL_BOOK_SERVICE", "").lower() != "true":
        return None
    scheme = "http" if environment.get("DO_NOT_ENCRYPT", "").lower() == "true" else "https"
    return f"{scheme}://{_BOOK_SERVICE}"


def known_book(book: int) -> dict[str, Any]:
    """Every number is the same book: there is one."""
    return {
        "id": book,
        "author": "William Shakespeare",
        "year": 1595,
        "type": "paperback",
        "pages": 200,
        "publisher": "PublisherA",
        "language": "English",
        "ISBN-10": "1234567890",
        "ISBN-13": "123-1234567890",
    }


def from_volumes(book: int, answer: Any) -> dict[str, Any]:
    """A book in our words, from a book service's list of volumes. Raises Unavailable when that has none."""
    try:
        volume = answer["items"][0]["volumeInfo"]
        numbers = {each["type"]: each["identifier"] for each in volume["industryIdentifiers"]}
        return {
            "id": book,
            "author": volume["authors"][0],
            "year": volume["publishedDate"],
            "type": "paperback" if volume["printType"] == "BOOK" else "unknown",
            "pages": volume["pageCount"],
            "publisher": volume["publisher"],
            "language": "English" if volume["language"] == "en" else "unknown",
            "ISBN-10": numbers["ISBN_10"],
            "ISBN-13": numbers["ISBN_13"],
        }
    except (KeyError, IndexError, TypeError) as error:
        raise Unavailable(502, f"the book service's answer lacks {error}") from error


class Details:
    def __init__(self, service: str | None) -> None:
        self._service = service

    async def get(self, request: web.Request) -> web.Response:
        text = request.match_info["book"]
        if not text.isdecimal() or len(text) > 9:
            return web.json_response({"error": "please provide numeric product id"}, status=400)
        book = int(text)
        if self._service is None:
            return web.json_response(known_book(book))
        trace = {name: request.headers[name] for name in TRACE if name in request.headers}
        url = f"{self._service}/books/v1/volumes?q=isbn:{_ISBN}"
        try:
            answer = await get_json(request.app[_CLIENT], url, trace, seconds=_SECONDS)
            return web.json_response(from_volumes(book, answer))
        except Unavailable as error:
            return web.json_response({"error": str(error)}, status=502)


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "Details is healthy"})


async def _client(app: web.Application) -> AsyncIterator[None]:
    async with session() as app[_CLIENT]:
        yield


def details(service: str | None) -> web.Application:
    """`service` as `book_service` returns it."""
    app = application()
    handlers = Details(service)
    app.cleanup_ctx.append(_client)
    app.router.add_get("/health", _health)
    app.router.add_get("/details/{book}", handlers.get)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="Bookinfo: details")
    parser.add_argument("port", type=int, nargs="?", default=PORT)
    port = parser.parse_args().port
    run(details(book_service(os.environ)), [port])


if __name__ == "__main__":
    main()

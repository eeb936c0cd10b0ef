"""The shop's page: what it shows when all is well, what it says when a service fails, and what it sends along."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from lateen.samples.bookinfo.details import known_book
from lateen.samples.bookinfo.page import stars
from lateen.samples.bookinfo.productpage import Settings, productpage, settings

Client = TestClient[web.Request, web.Application]


class Behind:
    """One server for all services behind the page: what it answers can be changed, what it was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.answers: dict[str, Callable[[], web.Response]] = {
            "details": lambda: web.json_response(known_book(0)),
            "reviews": lambda: web.json_response(self.reviews()),
            "ratings": lambda: web.json_response({"id": 0, "ratings": {"Reviewer1": 5}}),
        }

    def reviews(self, **rating: Any) -> dict[str, Any]:
        given = {"rating": rating} if rating else {}
        found = [{"reviewer": f"Reviewer{n}", "text": "Fun & <b>games</b>", **given} for n in (1, 2)]
        return {"id": "0", "podname": "reviews-v2-abc", "clustername": None, "reviews": found}

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        return self.answers[request.match_info["service"]]()

    def count(self, service: str) -> int:
        return sum(request.match_info["service"] == service for request in self.asked)


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
async def shop(behind: Behind) -> AsyncIterator[Client]:
    app = web.Application()
    app.router.add_get("/{service}/{book}", behind.answer)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        chosen = Settings(dict.fromkeys(("details", "reviews", "ratings"), url), flood=0)
        async with TestClient(TestServer(productpage(chosen))) as client:
            yield client


async def _page(shop: Client, **headers: str) -> str:
    async with shop.get("/productpage", headers=headers) as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        return await response.text()


async def test_the_page_shows_the_book_its_details_and_who_served_the_reviews(shop: Client, behind: Behind) -> None:
    text = await _page(shop)
    assert re.findall("<title>.*</title>", text) == ["<title>Simple Bookstore App</title>"]
    for shown in ("The Comedy of Errors", "PublisherA", "123-1234567890", "Reviews served by: <code>reviews-v2-abc<"):
        assert shown in text
    assert "Fun &amp; &lt;b&gt;games&lt;/b&gt;" in text, "what others say is text, never markup"
    assert "glyphicon-star" not in text
    behind.answers["reviews"] = lambda: web.json_response(behind.reviews(stars=4, color="red"))
    text = await _page(shop)
    assert text.count('"stars red"') == 2
    assert text.count('glyphicon-star"') == 8
    assert text.count("glyphicon-star-empty") == 2


async def test_the_page_says_which_service_failed_and_stays_up(shop: Client, behind: Behind) -> None:
    behind.answers["reviews"] = lambda: web.Response(status=503)
    text = await _page(shop)
    assert "Error fetching product reviews" in text
    assert "Sorry, product reviews are currently unavailable for this book." in text
    assert "PublisherA" in text
    assert behind.count("reviews") == 2, "reviews are tried twice"
    behind.answers["details"] = lambda: web.Response(status=500)
    text = await _page(shop)
    assert "Error fetching product details" in text
    assert "Sorry, product details are currently unavailable for this book." in text
    assert behind.count("details") == 2, "details are tried once for each page"


async def test_the_page_tells_that_ratings_are_unavailable(shop: Client, behind: Behind) -> None:
    message = "Ratings service is currently unavailable"
    behind.answers["reviews"] = lambda: web.json_response(behind.reviews(error=message))
    text = await _page(shop)
    assert text.count(message) == 2
    assert "Error fetching" not in text


async def test_signing_in_sets_the_header_that_routes_follow(shop: Client, behind: Behind) -> None:
    assert "Sign in" in await _page(shop)
    assert all("end-user" not in request.headers for request in behind.asked)
    async with shop.post("/login", data={"username": "jason", "passwd": ""}, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "/productpage")
        assert response.cookies["user"].value == "jason"
        assert response.cookies["user"]["httponly"]
    behind.asked.clear()
    text = await _page(shop, **{"x-request-id": "r7", "X-B3-TraceId": "t7"})
    assert '<span>jason</span> (<a href="/logout">sign out</a>)' in text
    assert [request.headers["end-user"] for request in behind.asked] == ["jason", "jason"]
    assert {request.headers["x-request-id"] for request in behind.asked} == {"r7"}
    assert {request.headers["x-b3-traceid"] for request in behind.asked} == {"t7"}
    async with shop.get("/logout", allow_redirects=False) as response:
        assert response.status == 302
    behind.asked.clear()
    assert "jason" not in (await _page(shop)).partition("<footer>")[0]
    assert all("end-user" not in request.headers for request in behind.asked)


@pytest.mark.parametrize("name", ["", "a\r\nx-admin: 1", "x" * 65, "<script>"])
async def test_a_name_that_is_none_is_refused(shop: Client, behind: Behind, name: str) -> None:
    async with shop.post("/login", data={"username": name}, allow_redirects=False) as response:
        assert response.status == 400
        assert "user" not in response.cookies


async def test_the_api_relays_what_the_services_say(shop: Client, behind: Behind) -> None:
    async def get(path: str) -> tuple[int, Any]:
        async with shop.get(path) as response:
            return response.status, await response.json()

    status, books = await get("/api/v1/products")
    assert (status, books[0]["id"], books[0]["title"]) == (200, 0, "The Comedy of Errors")
    assert await get("/api/v1/products/0") == (200, known_book(0))
    assert (await get("/api/v1/products/0/reviews"))[1]["podname"] == "reviews-v2-abc"
    assert await get("/api/v1/products/0/ratings") == (200, {"id": 0, "ratings": {"Reviewer1": 5}})
    behind.answers["ratings"] = lambda: web.Response(status=403)
    error = {"error": "Sorry, product ratings are currently unavailable for this book."}
    assert await get("/api/v1/products/0/ratings") == (403, error)
    async with shop.get("/metrics") as response:
        counted = await response.text()
    assert 'request_result_total{destination_app="ratings",response_code="403"} 1' in counted
    assert 'request_result_total{destination_app="details",response_code="200"} 1' in counted


async def test_health_and_the_front_page(shop: Client, behind: Behind) -> None:
    async with shop.get("/health") as response:
        assert await response.text() == "Product page is healthy"
    async with shop.get("/") as response:
        assert 'href="/productpage"' in await response.text()
    assert behind.asked == []


def test_stars_are_bounded_and_in_a_known_color() -> None:
    assert stars({"stars": 99, "color": '"><script>'}).count('glyphicon-star"') == 5
    assert "script" not in stars({"stars": 99, "color": '"><script>'})
    assert stars(None) == ""


def test_settings_follow_the_environment() -> None:
    chosen = settings({"REVIEWS_HOSTNAME": "r", "SERVICES_DOMAIN": "shop", "FLOOD_FACTOR": "5"})
    assert (chosen.urls["reviews"], chosen.urls["details"], chosen.flood) == (
        "http://r.shop:9080",
        "http://details.shop:9080",
        5,
    )
    assert (chosen.seconds, settings({"UPSTREAM_SECONDS": "20"}).seconds) == (3, 20)
    with pytest.raises(ValueError, match="FLOOD_FACTOR"):
        settings({"FLOOD_FACTOR": "-1"})

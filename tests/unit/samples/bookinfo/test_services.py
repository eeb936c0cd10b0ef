"""Details, ratings and reviews: the JSON that everybody knows, and what each does when the one behind fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from lateen.samples.bookinfo.addresses import base_url
from lateen.samples.bookinfo.details import book_service, details
from lateen.samples.bookinfo.forwarding import forwarded
from lateen.samples.bookinfo.ratings import ratings
from lateen.samples.bookinfo.reviews import Settings, reviews, settings


async def _json(app: web.Application, path: str, **options: Any) -> tuple[int, Any]:
    async with TestClient(TestServer(app)) as client, client.get(path, **options) as response:
        return response.status, await response.json()


async def test_details_tells_what_is_printed_on_the_book() -> None:
    status, told = await _json(details(None), "/details/0")
    assert status == 200
    assert told == {
        "id": 0,
        "author": "William Shakespeare",
        "year": 1595,
        "type": "paperback",
        "pages": 200,
        "publisher": "PublisherA",
        "language": "English",
        "ISBN-10": "1234567890",
        "ISBN-13": "123-1234567890",
    }
    assert await _json(details(None), "/details/abc") == (400, {"error": "please provide numeric product id"})
    assert await _json(details(None), "/health") == (200, {"status": "Details is healthy"})


def test_details_v2_asks_a_book_service_encrypted_or_not() -> None:
    assert book_service({}) is None
    assert book_service({"ENABLE_EXTERNAL_BOOK_SERVICE": "true"}) == "https://www.googleapis.com"
    plain = {"ENABLE_EXTERNAL_BOOK_SERVICE": "true", "DO_NOT_ENCRYPT": "true"}
    assert book_service(plain) == "http://www.googleapis.com"


async def test_details_v2_puts_a_volume_in_our_words() -> None:
    volume = {
        "authors": ["William Shakespeare"],
        "publishedDate": "2002-01-01",
        "printType": "BOOK",
        "pageCount": 64,
        "publisher": "A house",
        "language": "en",
        "industryIdentifiers": [
            {"type": "ISBN_10", "identifier": "0486424618"},
            {"type": "ISBN_13", "identifier": "9780486424613"},
        ],
    }
    answers: list[Any] = [{"items": [{"volumeInfo": volume}]}, {"items": []}]
    asked: list[web.Request] = []

    async def volumes(request: web.Request) -> web.Response:
        asked.append(request)
        return web.json_response(answers.pop(0))

    outside = web.Application()
    outside.router.add_get("/books/v1/volumes", volumes)
    async with TestServer(outside) as server:
        url = str(server.make_url("")).rstrip("/")
        status, told = await _json(details(url), "/details/7", headers={"traceparent": "00-a-b-01", "cookie": "user=x"})
        assert (status, told["id"], told["pages"], told["ISBN-13"]) == (200, 7, 64, "9780486424613")
        assert asked[0].query["q"] == "isbn:0486424618"
        assert asked[0].headers["traceparent"] == "00-a-b-01"
        assert "cookie" not in asked[0].headers, "a shop's cookies are no business of others"
        assert (await _json(details(url), "/details/7"))[0] == 502


async def test_ratings_are_told_and_can_be_replaced() -> None:
    async with TestClient(TestServer(ratings())) as client:

        async def get(path: str) -> tuple[int, Any]:
            async with client.get(path) as response:
                return response.status, await response.json()

        async def post(path: str, body: str) -> tuple[int, Any]:
            async with client.post(path, data=body) as response:
                return response.status, await response.json()

        assert await get("/health") == (200, {"status": "Ratings is healthy"})
        assert await get("/ratings/0") == (200, {"id": 0, "ratings": {"Reviewer1": 5, "Reviewer2": 4}})
        assert await get("/ratings/x") == (400, {"error": "please provide numeric product ID"})
        assert await post("/ratings/3", '{"Reviewer1": 1}') == (200, {"id": 3, "ratings": {"Reviewer1": 1}})
        assert (await get("/ratings/3"))[1]["ratings"] == {"Reviewer1": 1}
        assert (await get("/ratings/0"))[1]["ratings"] == {"Reviewer1": 5, "Reviewer2": 4}
        for bad in ("[1]", "{", ""):
            assert await post("/ratings/3", bad) == (400, {"error": "please provide valid ratings JSON"})


def _settings(url: str = "http://nowhere.invalid:1", **changed: Any) -> Settings:
    usual = {"with_ratings": True, "color": "black", "seconds": 5.0, "pod": "reviews-v2-abc", "cluster": None}
    return Settings(**{**usual, "ratings_url": url, **changed})


async def test_reviews_v1_has_no_ratings() -> None:
    status, told = await _json(reviews(_settings(with_ratings=False)), "/reviews/0")
    assert status == 200
    assert (told["id"], told["podname"]) == ("0", "reviews-v2-abc")
    assert [each["reviewer"] for each in told["reviews"]] == ["Reviewer1", "Reviewer2"]
    assert all("rating" not in each for each in told["reviews"])


@pytest.mark.parametrize("color", ["black", "red"])
async def test_reviews_v2_and_v3_show_stars_in_their_color(color: str) -> None:
    async with TestServer(ratings()) as server:
        url = str(server.make_url("")).rstrip("/")
        _, told = await _json(reviews(_settings(url, color=color)), "/reviews/0")
    assert [each["rating"] for each in told["reviews"]] == [
        {"stars": 5, "color": color},
        {"stars": 4, "color": color},
    ]


@pytest.mark.parametrize("failure", ["unreachable", "status", "late", "nonsense", "list"])
async def test_reviews_answer_without_stars_when_ratings_fail(failure: str) -> None:
    forever = asyncio.Event()

    async def answer(_request: web.Request) -> web.Response:
        if failure == "late":
            await forever.wait()
        if failure == "status":
            return web.Response(status=500)
        return web.Response(text="[]" if failure == "list" else "{")

    behind = web.Application()
    behind.router.add_get("/ratings/0", answer)
    async with TestServer(behind) as server:
        url = str(server.make_url("")).rstrip("/")
        chosen = _settings("http://127.0.0.1:1" if failure == "unreachable" else url, seconds=0.2)
        status, told = await _json(reviews(chosen), "/reviews/0")
        forever.set()
    assert status == 200
    unavailable = {"error": "Ratings service is currently unavailable"}
    assert [each["rating"] for each in told["reviews"]] == [unavailable, unavailable]


async def test_reviews_pass_the_trace_and_the_user_on() -> None:
    asked: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append({name.lower(): value for name, value in request.headers.items()})
        return web.json_response({"id": 0, "ratings": {}})

    behind = web.Application()
    behind.router.add_get("/ratings/0", answer)
    sent = {"X-Request-Id": "r1", "traceparent": "00-a-b-01", "end-user": "jason", "x-other": "stays here"}
    async with TestServer(behind) as server:
        await _json(reviews(_settings(str(server.make_url("")).rstrip("/"))), "/reviews/0", headers=sent)
    assert {name: asked[0].get(name) for name in ("x-request-id", "traceparent", "end-user", "x-other")} == {
        "x-request-id": "r1",
        "traceparent": "00-a-b-01",
        "end-user": "jason",
        "x-other": None,
    }


def test_the_versions_of_reviews_are_told_apart_by_their_environment() -> None:
    v1, v2 = settings({"HOSTNAME": "p"}), settings({"ENABLE_RATINGS": "true"})
    v3 = settings({"ENABLE_RATINGS": "true", "STAR_COLOR": "red", "SERVICES_DOMAIN": "shop.svc"})
    assert (v1.with_ratings, v1.pod) == (False, "p")
    assert (v2.with_ratings, v2.color, v2.seconds) == (True, "black", 10.0)
    assert (v3.color, v3.seconds, v3.ratings_url) == ("red", 2.5, "http://ratings.shop.svc:9080")


def test_how_long_services_wait_is_a_setting() -> None:
    assert settings({"STAR_COLOR": "red", "UPSTREAM_SECONDS": "0.5"}).seconds == 0.5
    for text in ("soon", "0", "-1", "nan", "inf"):
        with pytest.raises(ValueError, match=f"UPSTREAM_SECONDS is '{text}'"):
            settings({"UPSTREAM_SECONDS": text})


def test_addresses_follow_the_environment_and_name_what_is_wrong() -> None:
    assert base_url("ratings", {"RATINGS_HOSTNAME": "stars", "RATINGS_SERVICE_PORT": "80"}) == "http://stars:80"
    with pytest.raises(ValueError, match="RATINGS_SERVICE_PORT is 'tcp:"):
        base_url("ratings", {"RATINGS_SERVICE_PORT": "tcp://10.0.0.1"})


def test_only_headers_that_belong_to_the_trace_or_the_user_are_forwarded() -> None:
    assert forwarded({"b3": "1", "host": "x", "content-length": "3"}) == {"b3": "1"}

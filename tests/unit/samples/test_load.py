"""What sends requests: how many, at which pace, and what it tells of them."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lateen.samples.fortio.options import duration, parser
from lateen.samples.fortio.report import ending
from lateen.samples.load import FAILED, Load, Outcome, send
from lateen.samples.traffic import load_of, report, shares, version


class Counting:
    """Answers with 200 and every fourth time with 503; remembers what it was sent."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.most = 0
        self.together = 1
        """How many have to be here before the first is answered."""
        self._now = 0
        self._enough = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        failed = len(self.requests) % 4 == 0
        self._now += 1
        self.most = max(self.most, self._now)
        if self.most >= self.together:
            self._enough.set()
        await self._enough.wait()
        self._now -= 1
        return web.Response(status=503 if failed else 200, text="Reviews served by: <code>reviews-v2-abc</code>")


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
async def url(counting: Counting) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/", counting.answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def test_as_many_requests_are_sent_as_asked_for_and_no_more_at_a_time(url: str, counting: Counting) -> None:
    counting.together = 3
    outcomes = await send(Load(url, count=20, connections=3, headers={"x-a": "1"}, timeout=60), version)
    assert Counter(outcome.status for outcome in outcomes) == {200: 15, 503: 5}
    assert counting.most == 3
    assert {request.headers["x-a"] for request in counting.requests} == {"1"}
    assert shares(outcomes) == {"reviews v2": 15, "status 503": 5}


async def test_no_request_is_sent_before_its_time(url: str) -> None:
    began = time.perf_counter()
    assert len(await send(Load(url, count=11, connections=2, per_second=50))) == 11
    assert time.perf_counter() - began >= 0.19


async def test_no_request_is_begun_after_the_end(url: str) -> None:
    # One more of each connection may be waiting for its moment then.
    assert 1 <= len(await send(Load(url, seconds=0.2, connections=2, per_second=50))) <= 12


async def test_what_gets_no_answer_is_counted_and_says_why() -> None:
    outcomes = await send(Load("http://127.0.0.1:1/", count=2))
    assert [outcome.status for outcome in outcomes] == [FAILED, FAILED]
    assert shares(outcomes) == {"no answer (ClientConnectorError)": 2}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"Reviews served by: <code>reviews-v3-6d9-x</code>", "reviews v3"),
        (b'{"id": "0", "podname": "reviews-v1-abc"}', "reviews v1"),
        (b"<h4>Error fetching product reviews!</h4>", "reviews unavailable"),
        (b'{"error": "Sorry, product reviews are currently unavailable for this book."}', "reviews unavailable"),
        (
            b"Ratings service is currently unavailable Reviews served by: <code>reviews-v2-x</code>",
            "reviews v2, ratings unavailable",
        ),
        (b"hello", "no reviews in the answer"),
    ],
)
def test_a_page_tells_who_served_its_reviews(body: bytes, says: str) -> None:
    assert version(body) == says


def test_the_report_shows_shares_and_times() -> None:
    outcomes = [Outcome(200, 0.010, "reviews v1")] * 90 + [Outcome(200, 0.020, "reviews v3")] * 10
    lines = report(outcomes)
    assert lines[0].split()[:4] == ["reviews", "v1", "90", "90.0%"]
    assert lines[1].split()[:4] == ["reviews", "v3", "10", "10.0%"]
    assert lines[2] == "100 requests, median 10.0 ms, 99th percentile 20.0 ms"
    assert report([]) == ["no requests were sent"]


def test_traffic_understands_its_command_line() -> None:
    load = load_of(["http://shop/productpage", "-n", "3", "--user", "jason", "-H", "x-a: b", "-k", "--qps", "5"])
    assert (load.count, load.connections, load.per_second, load.verify) == (3, 3, 5.0, False)
    assert load.headers == {"x-a": "b", "Cookie": "user=jason"}
    assert load_of(["http://shop/", "--for", "2"]).count is None
    for bad in (["ftp://x"], ["http://x", "-n", "0"], ["http://x", "-H", "nocolon"], ["http://x", "--user", "a;b=c"]):
        with pytest.raises(SystemExit):
            load_of(bad)


def test_fortio_counts_codes_as_the_tasks_read_them() -> None:
    outcomes = [Outcome(200, 0.01, size=10)] * 21 + [Outcome(503, 0.001)] * 9
    lines = ending(outcomes, 0.5)
    assert "Code 200 : 21 (70.0 %)" in lines
    assert "Code 503 : 9 (30.0 %)" in lines
    assert lines[0].endswith(": 30 calls. qps=60")
    assert lines[-1].startswith("All done 30 calls (plus 0 warmup) ")
    assert "Code  -1 : 1 (100.0 %)" in ending([Outcome(FAILED, 0.1, "refused")], 1.0)


def test_fortio_understands_gos_options_and_refuses_others() -> None:
    line = "load -c 3 -qps 0 -n 30 -loglevel Warning http://httpbin:8000/get"
    chosen = parser().parse_args(line.split())
    assert (chosen.c, chosen.qps, chosen.n, chosen.url) == (3, 0.0, 30, "http://httpbin:8000/get")
    assert parser().parse_args(["load", "-qps=5", "-t", "1m30s", "-H", "a:b", "httpbin:8000/get"]).t == 90.0
    assert parser().parse_args(["curl", "-quiet", "http://httpbin:8000/get"]).quiet
    for bad in ("load -stdclient http://x", "load ftp://x", "load -c 0 http://x", "grpcping x", "load -t 5 http://x"):
        with pytest.raises(SystemExit):
            parser().parse_args(bad.split())
    with pytest.raises(argparse.ArgumentTypeError):
        duration("1s30")


async def test_fortio_runs_a_load_and_shows_an_answer(url: str) -> None:
    async def run(*arguments: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lateen.samples.fortio", *arguments, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(process.communicate(), 120)
        return process.returncode or 0, out.decode()

    status, out = await run("load", "-c", "2", "-qps", "0", "-n", "8", "-loglevel", "Warning", url)
    assert status == 0
    assert "Code 200 : 6 (75.0 %)" in out
    assert "Code 503 : 2 (25.0 %)" in out
    assert out.count("W non ok code 503") == 2
    status, out = await run("curl", url)
    assert status == 0
    assert out.startswith("HTTP/1.1 200 OK")
    assert out.endswith("reviews-v2-abc</code>")

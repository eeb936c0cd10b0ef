"""Who answers: `python -m lateen.samples.traffic http://GATEWAY/productpage -n 100`.

Sends requests and tells how many each version of reviews served, which is how a canary or a split is seen to work.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections import Counter
from collections.abc import Sequence

from lateen.samples.http_arguments import header, url
from lateen.samples.load import FAILED, Load, Outcome, send

_SERVED_BY = re.compile(rb"Reviews served by: <code>([\w.-]*?)-(v\d+)\b")
_JSON = re.compile(rb'"podname": "([\w.-]*?)-(v\d+)\b')
_UNRATED = b"Ratings service is currently unavailable"
_MAX_REQUESTS = 1_000_000
_BAR = 40


def version(body: bytes) -> str:
    """Which version of reviews a page or an answer of reviews came from: `reviews v2`, or what it says instead."""
    if b"Error fetching product reviews" in body or b"product reviews are currently unavailable" in body:
        return "reviews unavailable"
    found = _SERVED_BY.search(body) or _JSON.search(body)
    if found is None:
        return "no reviews in the answer"
    unrated = ", ratings unavailable" if _UNRATED in body else ""
    return f"{found[1].decode()} {found[2].decode()}{unrated}"


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the sorted `values` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def shares(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many requests ended in which way, the names in order."""
    ways = Counter(_way(outcome) for outcome in outcomes)
    return dict(sorted(ways.items()))


def _way(outcome: Outcome) -> str:
    if outcome.status == FAILED:
        return f"no answer ({outcome.said.partition(':')[0]})"
    return outcome.said if outcome.status == 200 else f"status {outcome.status}"


def report(outcomes: Sequence[Outcome]) -> list[str]:
    """A line with a bar for each way, and one with the times."""
    if not outcomes:
        return ["no requests were sent"]
    found = shares(outcomes)
    width = max(map(len, found))
    lines = []
    for way, count in found.items():
        share = count / len(outcomes)
        bar = "█" * max(1, round(share * _BAR))
        lines.append(f"{way:<{width}}  {count:>6}  {share:>6.1%}  {bar}")
    times = [outcome.seconds * 1000 for outcome in outcomes]
    middle, late = percentile(times, 0.5), percentile(times, 0.99)
    lines.append(f"{len(outcomes)} requests, median {middle:.1f} ms, 99th percentile {late:.1f} ms")
    return lines


def load_of(arguments: Sequence[str]) -> Load:
    """The command line as a load. Ends the process with what is wrong with it."""
    parser = argparse.ArgumentParser(prog="traffic", description="Sends requests and tells which version answered")
    parser.add_argument("url", type=url)
    parser.add_argument("-n", type=int, default=100, metavar="REQUESTS", help="how many (100)")
    parser.add_argument("-c", type=int, default=4, metavar="CONNECTIONS", help="at the same time (4)")
    parser.add_argument("--qps", type=float, default=0.0, help="requests a second; 0: as fast as it goes")
    parser.add_argument("--for", type=float, dest="seconds", metavar="SECONDS", help="for so long, instead of -n")
    parser.add_argument("-H", "--header", type=header, action="append", default=[], metavar="'NAME: VALUE'")
    parser.add_argument("--user", help="signed in as this one")
    parser.add_argument("-k", "--insecure", action="store_true", help="any certificate will do")
    chosen = parser.parse_args(arguments)
    if not 0 < chosen.n <= _MAX_REQUESTS or not 0 < chosen.c <= 1000 or chosen.qps < 0:
        parser.error(f"-n: 1 to {_MAX_REQUESTS}; -c: 1 to 1000; --qps: not below 0")
    headers = dict(chosen.header)
    if chosen.user is not None:
        if not re.fullmatch(r"[\w.@+-]{1,64}", chosen.user, re.ASCII):
            parser.error(f"--user {chosen.user!r}: expected 1 to 64 letters, digits, or one of . @ + _ -")
        headers["Cookie"] = f"user={chosen.user}"
    return Load(
        chosen.url,
        count=chosen.n if chosen.seconds is None else None,
        seconds=chosen.seconds or 0.0,
        connections=chosen.c if chosen.seconds is not None else min(chosen.c, chosen.n),
        per_second=chosen.qps,
        headers=headers,
        verify=not chosen.insecure,
    )


def main() -> None:
    """Exits with 1 when a request was not answered with 200."""
    outcomes = asyncio.run(send(load_of(sys.argv[1:]), version))
    print("\n".join(report(outcomes)))
    sys.exit(any(outcome.status != 200 for outcome in outcomes))


if __name__ == "__main__":
    main()

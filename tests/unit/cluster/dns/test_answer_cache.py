"""Remembered answers: for how long, under which question, how many."""

from __future__ import annotations

from typing import Any

import dnslib
import pytest

from lateen.cluster.dns.answer_cache import AnswerCache


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def question(name: str = "a.example", type_: str = "A", **options: Any) -> dnslib.DNSRecord:
    query = dnslib.DNSRecord.question(name, type_)
    if options:
        query.add_ar(dnslib.EDNS0(**options))
    return query


def answer(query: dnslib.DNSRecord, *ttls: int, rcode: int = 0, soa: int | None = None) -> bytes:
    reply = query.reply()
    reply.header.rcode = rcode
    for number, ttl in enumerate(ttls):
        reply.add_answer(dnslib.RR(query.q.qname, dnslib.QTYPE.A, rdata=dnslib.A(f"192.0.2.{number}"), ttl=ttl))
    if soa is not None:
        times = (1, 2, 3, 4, 5)
        rdata = dnslib.SOA("ns.example", "admin.example", times)
        reply.add_auth(dnslib.RR("example", dnslib.QTYPE.SOA, rdata=rdata, ttl=soa))
    return bytes(reply.pack())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> AnswerCache:
    return AnswerCache(clock, size=3)


@pytest.mark.parametrize(
    ("ttls", "rcode", "soa", "seconds"),
    [
        ((60, 10), dnslib.RCODE.NOERROR, None, 10),
        ((600,), dnslib.RCODE.NOERROR, None, 30),
        ((0, 60), dnslib.RCODE.NOERROR, None, 0),
        ((), dnslib.RCODE.NXDOMAIN, 600, 5),
        ((), dnslib.RCODE.NOERROR, 2, 2),
        ((), dnslib.RCODE.NXDOMAIN, None, 0),
        ((60,), dnslib.RCODE.SERVFAIL, None, 0),
    ],
)
def test_lifetimes(
    cache: AnswerCache, clock: Clock, ttls: tuple[int, ...], rcode: int, soa: int | None, seconds: int
) -> None:
    query = question()
    cache.put(query, answer(query, *ttls, rcode=rcode, soa=soa), tcp=False)
    if seconds:
        clock.now += seconds - 1
        found = cache.get(query, tcp=False)
        assert found is not None
        assert [r.ttl for r in dnslib.DNSRecord.parse(found).rr] == [ttl - (seconds - 1) for ttl in ttls]
        clock.now += 1
    assert cache.get(query, tcp=False) is None
    assert len(cache) == 0


def test_an_answer_takes_the_question_s_id_and_spelling(cache: AnswerCache) -> None:
    cache.put(question(), answer(question(), 60), tcp=False)
    other = question("A.eXample")
    found = dnslib.DNSRecord.parse(cache.get(other, tcp=False) or b"")
    assert found.header.id == other.header.id
    assert str(found.q.qname) == "A.eXample."


def test_questions_that_ask_otherwise_are_others(cache: AnswerCache) -> None:
    cache.put(question(), answer(question(), 60), tcp=False)
    assert cache.get(question(), tcp=True) is None
    assert cache.get(question(type_="AAAA"), tcp=False) is None
    assert cache.get(question(udp_len=1232), tcp=False) is None


def test_the_longest_unused_is_forgotten_first(cache: AnswerCache) -> None:
    queries = [question(f"{letter}.example") for letter in "abcd"]
    for query in queries[:3]:
        cache.put(query, answer(query, 60), tcp=False)
    assert cache.get(queries[0], tcp=False) is not None
    cache.put(queries[3], answer(queries[3], 60), tcp=False)
    assert [cache.get(query, tcp=False) is not None for query in queries] == [True, False, True, True]


def test_truncated_answers_and_nonsense_are_not_kept(cache: AnswerCache) -> None:
    query = question()
    truncated = query.reply().truncate()
    for data in (bytes(truncated.pack()), b"\0\1", answer(query, 60)[:20]):
        cache.put(query, data, tcp=False)
    assert len(cache) == 0

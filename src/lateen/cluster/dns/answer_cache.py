"""Answers of other resolvers, for as long as their records live but at most half a minute; bounded in number."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import dnslib

MAX_SECONDS = 30
MAX_NEGATIVE_SECONDS = 5


class AnswerCache:
    """`now` gives seconds of a clock that never goes back."""

    def __init__(self, now: Callable[[], float], *, size: int = 1000) -> None:
        self._now = now
        self._size = size
        self._answers: OrderedDict[object, tuple[float, float, bytes]] = OrderedDict()

    def get(self, query: dnslib.DNSRecord, *, tcp: bool) -> bytes | None:
        """The remembered answer to a query, with its id, its question's spelling and what is left of the lifetimes."""
        found = self._answers.get(_key(query, tcp))
        if found is None:
            return None
        taken, until, data = found
        now = self._now()
        if now >= until:
            del self._answers[_key(query, tcp)]
            return None
        self._answers.move_to_end(_key(query, tcp))
        message = dnslib.DNSRecord.parse(data)
        message.header.id = query.header.id
        message.questions = query.questions
        for record in (*message.rr, *message.auth, *message.ar):
            if record.rtype != dnslib.QTYPE.OPT:
                record.ttl = max(0, record.ttl - int(now - taken))
        return bytes(message.pack())

    def put(self, query: dnslib.DNSRecord, data: bytes, *, tcp: bool) -> None:
        """Remembers an answer, if it is one that says something for a while."""
        try:
            message = dnslib.DNSRecord.parse(data)
        except dnslib.DNSError:
            return
        code = message.header.rcode
        if message.header.tc or code not in (dnslib.RCODE.NOERROR, dnslib.RCODE.NXDOMAIN):
            return
        positive = code == dnslib.RCODE.NOERROR and bool(message.rr)
        lifetimes = [record.ttl for record in (message.rr if positive else message.auth)]
        seconds = min([*lifetimes, MAX_SECONDS if positive else MAX_NEGATIVE_SECONDS]) if lifetimes else 0
        if seconds <= 0:
            return
        now = self._now()
        self._answers[_key(query, tcp)] = (now, now + seconds, data)
        self._answers.move_to_end(_key(query, tcp))
        if len(self._answers) > self._size:
            self._answers.popitem(last=False)

    def __len__(self) -> int:
        return len(self._answers)


def _key(query: dnslib.DNSRecord, tcp: bool) -> object:
    options = next((record for record in query.ar if record.rtype == dnslib.QTYPE.OPT), None)
    edns = None if options is None else (options.edns_len, options.edns_do)
    flags = (query.header.rd, query.header.cd, query.header.ad)
    return (str(query.q.qname).lower(), query.q.qtype, query.q.qclass, edns, flags, tcp)

"""Answers DNS messages: names of the cluster from its state, all others from other resolvers."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import dnslib

from lateen.cluster.dns.answer_cache import AnswerCache
from lateen.cluster.dns.messages import error_reply, pack_reply
from lateen.cluster.dns.records import Outcome, Record, Reply, State, resolve
from lateen.cluster.network.dns_forwarding import Forwarder, ForwardError

_HEADER = 12
_MAX_QUERY = 4096


class Resolver:
    """One cluster's resolver. `ready` tells whether `state` is complete: before, cluster names are SERVFAIL."""

    def __init__(self, state: State, forwarder: Forwarder, ready: Callable[[], bool], domain: str = "cluster.local"):
        self._state = state
        self._forwarder = forwarder
        self._ready = ready
        self._domain = domain
        self._cache = AnswerCache(time.monotonic)
        self._serial = int(time.time())

    async def answer(self, data: bytes, tcp: bool) -> bytes | None:
        """The answer to a message; None for what is no query at all."""
        if len(data) < _HEADER or data[2] & 0x80:
            return None
        try:
            query = dnslib.DNSRecord.parse(data[:_MAX_QUERY])
            question = query.q
            name, type_ = str(question.qname).rstrip("."), _type_name(question.qtype)
        except (dnslib.DNSError, IndexError, UnicodeError, ValueError):
            return data[:2] + b"\x80\x01" + bytes(8)
        if query.header.opcode != 0:
            return error_reply(query, dnslib.RCODE.NOTIMP)
        if len(query.questions) != 1:
            return error_reply(query, dnslib.RCODE.FORMERR)
        if question.qclass != dnslib.CLASS.IN:
            return await self._forward(query, data, tcp)
        reply = self._own(name, type_)
        if reply.outcome is Outcome.NOT_OURS:
            return await self._forward(query, data, tcp)
        if not self._ready():
            return error_reply(query, dnslib.RCODE.SERVFAIL)
        if type_ in ("A", "AAAA") and len(reply.answers) == 1 and reply.answers[0].type == "CNAME":
            reply = await self._follow(reply, type_)
        return pack_reply(query, reply, self._domain, self._serial, tcp=tcp)

    def _own(self, name: str, type_: str) -> Reply:
        if name.lower() == self._domain and type_ in ("SOA", "NS"):
            record = Record(name, "SOA", "") if type_ == "SOA" else Record(name, "NS", f"ns.dns.{self._domain}")
            return Reply(Outcome.FOUND, (record,))
        if name.lower() == f"ns.dns.{self._domain}":
            return resolve(f"kube-dns.kube-system.svc.{self._domain}", type_, self._state, self._domain).renamed(name)
        return resolve(name, type_, self._state, self._domain)

    async def _follow(self, reply: Reply, type_: str) -> Reply:
        """The alias of an ExternalName with its target's addresses, wherever that is; just the alias if unknown."""
        target = str(reply.answers[0].value)
        own = self._own(target, type_)
        if own.outcome is not Outcome.NOT_OURS:
            return dataclasses.replace(reply, answers=reply.answers + own.answers)
        question = dnslib.DNSRecord.question(target, type_)
        try:
            answer = dnslib.DNSRecord.parse(await self._forwarder.ask(bytes(question.pack()), tcp=False))
        except (ForwardError, dnslib.DNSError):
            return reply
        found: list[Record] = []
        for record in answer.rr:
            owner, value = str(record.rname).rstrip("."), str(record.rdata).rstrip(".")
            match _type_name(record.rtype):
                case "A":
                    found.append(Record(owner, "A", value))
                case "AAAA":
                    found.append(Record(owner, "AAAA", value))
                case "CNAME":
                    found.append(Record(owner, "CNAME", value))
        return dataclasses.replace(reply, answers=reply.answers + tuple(found))

    async def _forward(self, query: dnslib.DNSRecord, data: bytes, tcp: bool) -> bytes:
        known = self._cache.get(query, tcp=tcp)
        if known is not None:
            return known
        try:
            answer = await self._forwarder.ask(data, tcp=tcp)
        except ForwardError:
            return error_reply(query, dnslib.RCODE.SERVFAIL)
        self._cache.put(query, answer, tcp=tcp)
        return answer


def _type_name(number: int) -> str:
    return str(dnslib.QTYPE.get(number))

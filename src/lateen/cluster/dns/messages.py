"""DNS messages of replies: records to wire format, within the size that the asker can take."""

from __future__ import annotations

import bisect
import random

import dnslib

from lateen.cluster.dns.records import NEGATIVE_TTL, TTL, Outcome, Record, Reply

_CLASSIC_SIZE = 512
_MAX_TCP = 65535
_MAX_UDP = 1232
"""What passes any link unfragmented; more comes by TCP."""


def error_reply(query: dnslib.DNSRecord, code: int) -> bytes:
    reply = query.reply(ra=1, aa=0)
    reply.header.rcode = code
    return bytes(reply.pack())


def pack_reply(query: dnslib.DNSRecord, reply: Reply, domain: str, serial: int, *, tcp: bool) -> bytes:
    """The message that answers `query` with authority: negative ones with the zone's SOA, addresses in random order."""
    answers = list(reply.answers)
    if all(record.type in ("A", "AAAA") for record in answers):
        random.shuffle(answers)
    asked = max((r.edns_len for r in query.ar if r.rtype == dnslib.QTYPE.OPT), default=_CLASSIC_SIZE)
    limit = _MAX_TCP if tcp else min(max(asked, _CLASSIC_SIZE), _MAX_UDP)

    def packed(count: int, additional: tuple[Record, ...] = ()) -> bytes:
        """The message with the first `count` answers, marked as truncated when these are not all."""
        message = query.reply(ra=1, aa=1)
        message.header.rcode = dnslib.RCODE.NXDOMAIN if reply.outcome is Outcome.NO_NAME else dnslib.RCODE.NOERROR
        message.header.tc = int(count < len(answers))
        for record in answers[:count]:
            message.add_answer(_resource(record, domain, serial))
        if not answers:
            message.add_auth(_resource(Record(domain, "SOA", ""), domain, serial, NEGATIVE_TTL))
        if any(r.rtype == dnslib.QTYPE.OPT for r in query.ar):
            message.add_ar(dnslib.EDNS0(udp_len=_MAX_UDP))
        for record in additional:
            message.add_ar(_resource(record, domain, serial))
        return bytes(message.pack())

    whole = packed(len(answers))
    if len(whole) > limit:
        # Who does not ask again by TCP has at least as many answers as fit.
        fitting = bisect.bisect_right(range(len(answers)), limit, key=lambda count: len(packed(count)))
        return packed(max(fitting - 1, 0))
    # Addresses of SRV targets are a courtesy: without them the answer is still whole.
    full = packed(len(answers), reply.additional) if reply.additional else whole
    return full if len(full) <= limit else whole


def _resource(record: Record, domain: str, serial: int, ttl: int = TTL) -> dnslib.RR:
    return dnslib.RR(record.name, getattr(dnslib.QTYPE, record.type), rdata=_data(record, domain, serial), ttl=ttl)


def _data(record: Record, domain: str, serial: int) -> dnslib.RD:
    value = record.value
    match record.type:
        case "A":
            return dnslib.A(value)
        case "AAAA":
            return dnslib.AAAA(value)
        case "CNAME":
            return dnslib.CNAME(value)
        case "PTR":
            return dnslib.PTR(value)
        case "TXT":
            return dnslib.TXT(value)
        case "NS":
            return dnslib.NS(value)
        case "SOA":
            times = (serial, 7200, 1800, 86400, NEGATIVE_TTL)
            return dnslib.SOA(f"ns.dns.{domain}", f"hostmaster.{domain}", times)
        case "SRV":
            assert isinstance(value, tuple)
            return dnslib.SRV(*value)
        case _:
            raise ValueError(f"record type {record.type}")

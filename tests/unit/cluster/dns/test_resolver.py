"""The resolver over real sockets: authority, sizes, forwarding, caching."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import dnslib

from lateen.cluster.dns.resolver import Resolver
from lateen.cluster.network.dns_forwarding import Forwarder
from lateen.cluster.network.dns_listener import listening
from lateen.testing.free_port import free_port

from .test_records import SVC, Fixed, service, slice_of


class Upstream:
    """A resolver that knows one address for every name, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent = False

    async def answer(self, data: bytes, _tcp: bool) -> bytes | None:
        query = dnslib.DNSRecord.parse(data)
        self.asked.append(str(query.q.qname))
        if self.silent:
            return None
        reply = query.reply()
        reply.add_answer(dnslib.RR(query.q.qname, dnslib.QTYPE.A, rdata=dnslib.A("192.0.2.9"), ttl=60))
        return bytes(reply.pack())


class Asker:
    def __init__(self, port: int, upstream: Upstream) -> None:
        self.port, self.upstream = port, upstream
        self.ready = True

    async def udp(self, name: str, type_: str = "A", **options: Any) -> dnslib.DNSRecord:
        query = dnslib.DNSRecord.question(name, type_)
        if options:
            query.add_ar(dnslib.EDNS0(**options))
        return dnslib.DNSRecord.parse(await self.raw(bytes(query.pack())))

    async def raw(self, data: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as client:
            client.connect(("127.0.0.1", self.port))
            await loop.sock_sendall(client, data)
            return await loop.sock_recv(client, 65535)

    async def tcp(self, name: str, type_: str = "A") -> dnslib.DNSRecord:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        data = bytes(dnslib.DNSRecord.question(name, type_).pack())
        writer.write(struct.pack("!H", len(data)) + data)
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        answer = await reader.readexactly(size)
        writer.close()
        return dnslib.DNSRecord.parse(answer)


MANY = [{"addresses": [f"10.1.{n // 250}.{n % 250 + 1}"], "hostname": f"many-{n}"} for n in range(100)]
STATE = Fixed(
    [
        service("web", clusterIP="10.0.0.7", clusterIPs=["10.0.0.7", "fd00::7"]),
        service("many", clusterIP="None"),
        service("far", type="ExternalName", externalName="example.org"),
        service("near", type="ExternalName", externalName=f"web.{SVC}"),
    ],
    [slice_of("many", "IPv4", *MANY)],
)


@asynccontextmanager
async def asking(patience: float = 60) -> AsyncIterator[Asker]:
    upstream = Upstream()
    async with listening("127.0.0.1", free_port(), upstream.answer) as upstream_port:
        forwarder = Forwarder(["127.0.0.1"], port=upstream_port, timeout=patience)
        made: list[Asker] = []
        resolver = Resolver(STATE, forwarder, lambda: made[0].ready)
        async with listening("127.0.0.1", free_port(), resolver.answer) as port:
            made.append(Asker(port, upstream))
            yield made[0]


def with_asker(test: Callable[[Asker], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Runs a test inside of the task that listens: a fixture would have a task of its own."""

    async def run() -> None:
        async with asking() as asker:
            await test(asker)

    return run


@with_asker
async def test_answers_with_authority(asker: Asker) -> None:
    for ask in (asker.udp, asker.tcp):
        reply = await ask(f"web.{SVC}")
        assert [str(r.rdata) for r in reply.rr] == ["10.0.0.7"]
        assert (reply.header.aa, reply.header.ra, reply.rr[0].ttl) == (1, 1, 5)
    assert asker.upstream.asked == []


@with_asker
async def test_nodata_and_nxdomain_carry_the_zone(asker: Asker) -> None:
    nodata, nothing = await asker.udp(f"web.{SVC}", "TXT"), await asker.udp(f"nothing.{SVC}")
    assert (nodata.header.rcode, nothing.header.rcode) == (dnslib.RCODE.NOERROR, dnslib.RCODE.NXDOMAIN)
    for reply in (nodata, nothing):
        assert [(str(r.rname), r.rtype, r.ttl) for r in reply.auth] == [("cluster.local.", dnslib.QTYPE.SOA, 30)]


@with_asker
async def test_what_does_not_fit_comes_by_tcp(asker: Asker) -> None:
    small = await asker.raw(bytes(dnslib.DNSRecord.question(f"many.{SVC}").pack()))
    assert dnslib.DNSRecord.parse(small).header.tc == 1
    # As many as fit: an address more is 16 bytes more.
    assert 512 - 16 < len(small) <= 512
    assert len(dnslib.DNSRecord.parse(small).rr) > 20
    assert len((await asker.udp(f"many.{SVC}", udp_len=1232)).rr) > 60
    assert len((await asker.tcp(f"many.{SVC}")).rr) == 100
    assert len((await asker.tcp(f"many.{SVC}", "SRV")).ar) == 100
    options = await asker.udp(f"web.{SVC}", udp_len=4096)
    assert [r.rtype for r in options.ar] == [dnslib.QTYPE.OPT]


@with_asker
async def test_other_names_are_forwarded_and_remembered(asker: Asker) -> None:
    for name in ("example.com", "EXAMPLE.com"):
        reply = await asker.udp(name)
        assert [str(r.rdata) for r in reply.rr] == ["192.0.2.9"]
        assert str(reply.q.qname) == f"{name}."
    assert asker.upstream.asked == ["example.com."]


@with_asker
async def test_external_names_are_followed(asker: Asker) -> None:
    far, near = await asker.udp(f"far.{SVC}"), await asker.udp(f"near.{SVC}")
    assert [str(r.rdata) for r in far.rr] == ["example.org.", "192.0.2.9"]
    assert [str(r.rdata) for r in near.rr] == [f"web.{SVC}.", "10.0.0.7"]


async def test_a_silent_upstream_is_servfail() -> None:
    async with asking(0.2) as asker:
        asker.upstream.silent = True
        assert (await asker.udp("example.com")).header.rcode == dnslib.RCODE.SERVFAIL


async def test_the_next_upstream_answers_for_a_dead_one() -> None:
    upstream = Upstream()
    async with listening("127.0.0.1", free_port(), upstream.answer) as port:
        forwarder = Forwarder(["127.0.0.2", "127.0.0.1"], port=port, timeout=5)
        query = dnslib.DNSRecord.question("example.com")
        for tcp in (False, True):
            answer = dnslib.DNSRecord.parse(await forwarder.ask(bytes(query.pack()), tcp=tcp))
            assert answer.header.id == query.header.id


@with_asker
async def test_before_everything_is_known_cluster_names_fail_instead_of_not_existing(asker: Asker) -> None:
    asker.ready = False
    assert (await asker.udp(f"nothing.{SVC}")).header.rcode == dnslib.RCODE.SERVFAIL


@with_asker
async def test_nonsense_is_a_format_error(asker: Asker) -> None:
    answer = await asker.raw(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xff")
    assert answer[:2] == b"\x12\x34"
    assert answer[3] & 0x0F == dnslib.RCODE.FORMERR

"""SPDY/3.1 frames. Old kubectl speaks them after an HTTP upgrade, today's inside WebSocket messages for port-forward.

Source: the SPDY protocol draft 3.1. Header blocks are compressed with one zlib stream per direction, primed with
the draft's dictionary.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

VERSION = 3
MAX_FRAME_BYTES = 1024 * 1024
"""Bound on one frame's payload; peers send up to 32 KiB."""
MAX_HEADER_BYTES = 256 * 1024
"""Bound on an uncompressed header block."""

FLAG_FIN = 0x01


class ProtocolError(ValueError):
    """The peer does not speak SPDY/3.1."""


class FrameType(IntEnum):
    SYN_STREAM = 1
    SYN_REPLY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    HEADERS = 8
    WINDOW_UPDATE = 9


@dataclass(frozen=True, slots=True)
class Data:
    stream: int
    payload: bytes
    fin: bool = False


@dataclass(frozen=True, slots=True)
class SynStream:
    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False
    associated: int = 0
    priority: int = 0


@dataclass(frozen=True, slots=True)
class SynReply:
    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Headers:
    stream: int
    headers: Mapping[str, str] = field(default_factory=dict)
    fin: bool = False


@dataclass(frozen=True, slots=True)
class RstStream:
    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Settings:
    values: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Ping:
    id: int


@dataclass(frozen=True, slots=True)
class GoAway:
    last_stream: int
    status: int = 0


@dataclass(frozen=True, slots=True)
class WindowUpdate:
    stream: int
    delta: int


Frame = Data | SynStream | SynReply | Headers | RstStream | Settings | Ping | GoAway | WindowUpdate


class Encoder:
    """One direction of one connection: header compression has state."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def encode(self, frame: Frame) -> bytes:
        match frame:
            case Data():
                return struct.pack("!II", frame.stream, _flagged(frame.fin, len(frame.payload))) + frame.payload
            case SynStream():
                head = struct.pack("!IIBB", frame.stream, frame.associated, frame.priority << 5, 0)
                return _control(FrameType.SYN_STREAM, head + self._block(frame.headers), frame.fin)
            case SynReply():
                body = struct.pack("!I", frame.stream) + self._block(frame.headers)
                return _control(FrameType.SYN_REPLY, body, frame.fin)
            case Headers():
                body = struct.pack("!I", frame.stream) + self._block(frame.headers)
                return _control(FrameType.HEADERS, body, frame.fin)
            case RstStream():
                return _control(FrameType.RST_STREAM, struct.pack("!II", frame.stream, frame.status))
            case Settings():
                pairs = b"".join(struct.pack("!II", key, value) for key, value in frame.values.items())
                return _control(FrameType.SETTINGS, struct.pack("!I", len(frame.values)) + pairs)
            case Ping():
                return _control(FrameType.PING, struct.pack("!I", frame.id))
            case GoAway():
                return _control(FrameType.GOAWAY, struct.pack("!II", frame.last_stream, frame.status))
            case WindowUpdate():
                return _control(FrameType.WINDOW_UPDATE, struct.pack("!II", frame.stream, frame.delta))

    def _block(self, headers: Mapping[str, str]) -> bytes:
        plain = [struct.pack("!I", len(headers))]
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                plain += [struct.pack("!I", len(text)), text]
        return self._deflate.compress(b"".join(plain)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


class Decoder:
    """Reads frames from bytes as they come. Raises ProtocolError; of no use after that."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete with these bytes."""
        self._pending += data
        frames: list[Frame] = []
        while len(self._pending) >= 8:
            first, second = struct.unpack_from("!II", self._pending)
            flags, length = second >> 24, second & 0xFFFFFF
            if length > MAX_FRAME_BYTES:
                raise ProtocolError(f"a frame of {length} bytes exceeds {MAX_FRAME_BYTES}")
            if len(self._pending) < 8 + length:
                break
            payload = bytes(self._pending[8 : 8 + length])
            del self._pending[: 8 + length]
            if first >> 31 == 0:
                frames.append(Data(first, payload, bool(flags & FLAG_FIN)))
                continue
            if (first >> 16) & 0x7FFF != VERSION:
                raise ProtocolError(f"SPDY version {(first >> 16) & 0x7FFF}: expected {VERSION}")
            frame = self._control(first & 0xFFFF, payload, bool(flags & FLAG_FIN))
            if frame is not None:
                frames.append(frame)
        return frames

    def _control(self, kind: int, payload: bytes, fin: bool) -> Frame | None:
        """None for a type that the draft does not name, to be skipped."""
        try:
            match kind:
                case FrameType.SYN_STREAM:
                    stream, associated, priority = struct.unpack_from("!IIB", payload)
                    return SynStream(stream & _ID, self._headers(payload[10:]), fin, associated & _ID, priority >> 5)
                case FrameType.SYN_REPLY:
                    return SynReply(_first_id(payload), self._headers(payload[4:]), fin)
                case FrameType.HEADERS:
                    return Headers(_first_id(payload), self._headers(payload[4:]), fin)
                case FrameType.RST_STREAM:
                    stream, status = struct.unpack("!II", payload)
                    return RstStream(stream & _ID, status)
                case FrameType.SETTINGS:
                    (count,) = struct.unpack_from("!I", payload)
                    words = struct.unpack(f"!{2 * count}I", payload[4:])
                    return Settings({words[i] & 0xFFFFFF: words[i + 1] for i in range(0, 2 * count, 2)})
                case FrameType.PING:
                    return Ping(struct.unpack("!I", payload)[0])
                case FrameType.GOAWAY:
                    stream, status = struct.unpack("!II", payload)
                    return GoAway(stream & _ID, status)
                case FrameType.WINDOW_UPDATE:
                    stream, delta = struct.unpack("!II", payload)
                    return WindowUpdate(stream & _ID, delta & _ID)
        except struct.error as error:
            raise ProtocolError(f"malformed frame of type {kind}") from error
        return None

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block, MAX_HEADER_BYTES)
        except zlib.error as error:
            raise ProtocolError("header block does not decompress") from error
        if self._inflate.unconsumed_tail:
            raise ProtocolError(f"header block exceeds {MAX_HEADER_BYTES} bytes")
        (count,) = struct.unpack_from("!I", plain)
        at = 4
        texts = []
        for _ in range(2 * count):
            (length,) = struct.unpack_from("!I", plain, at)
            if at + 4 + length > len(plain):
                raise ProtocolError("header block is cut short")
            texts.append(plain[at + 4 : at + 4 + length].decode(errors="replace"))
            at += 4 + length
        return dict(zip(texts[::2], texts[1::2], strict=True))


_ID = 0x7FFFFFFF


def _flagged(fin: bool, length: int) -> int:
    return (FLAG_FIN if fin else 0) << 24 | length


def _control(kind: FrameType, payload: bytes, fin: bool = False) -> bytes:
    return struct.pack("!II", 1 << 31 | VERSION << 16 | kind, _flagged(fin, len(payload))) + payload


def _first_id(payload: bytes) -> int:
    stream: int = struct.unpack_from("!I", payload)[0]
    return stream & _ID


def _dictionary() -> bytes:
    """The draft's compression dictionary: common names, each with its length, then common texts."""
    names = [
        "options",
        "head",
        "post",
        "put",
        "delete",
        "trace",
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "accept-ranges",
        "age",
        "allow",
        "authorization",
        "cache-control",
        "connection",
        "content-base",
        "content-encoding",
        "content-language",
        "content-length",
        "content-location",
        "content-md5",
        "content-range",
        "content-type",
        "date",
        "etag",
        "expect",
        "expires",
        "from",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "last-modified",
        "location",
        "max-forwards",
        "pragma",
        "proxy-authenticate",
        "proxy-authorization",
        "range",
        "referer",
        "retry-after",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "vary",
        "via",
        "warning",
        "www-authenticate",
        "method",
        "get",
        "status",
    ]
    names += ["200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin"]
    texts = (
        "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
        "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
        "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
        "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
        "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
        "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
    )
    return b"".join(struct.pack("!I", len(name)) + name.encode() for name in names) + texts.encode()


DICTIONARY = _dictionary()

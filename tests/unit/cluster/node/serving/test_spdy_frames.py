from __future__ import annotations

import contextlib
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.node.serving.spdy_frames import (
    DICTIONARY,
    MAX_FRAME_BYTES,
    Data,
    Decoder,
    Encoder,
    Frame,
    GoAway,
    Headers,
    Ping,
    ProtocolError,
    RstStream,
    Settings,
    SynReply,
    SynStream,
    WindowUpdate,
)

ids = st.integers(0, 2**31 - 1)
words = st.integers(0, 2**32 - 1)
names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)
headers = st.dictionaries(names, st.text(max_size=20), max_size=5)
frames = st.one_of(
    st.builds(Data, ids, st.binary(max_size=100), st.booleans()),
    st.builds(SynStream, ids, headers, st.booleans(), ids, st.integers(0, 7)),
    st.builds(SynReply, ids, headers, st.booleans()),
    st.builds(Headers, ids, headers, st.booleans()),
    st.builds(RstStream, ids, words),
    st.builds(Settings, st.dictionaries(st.integers(0, 2**24 - 1), words, max_size=4)),
    st.builds(Ping, words),
    st.builds(GoAway, ids, words),
    st.builds(WindowUpdate, ids, ids),
)


@given(st.lists(frames, max_size=6), st.integers(1, 50))
def test_frames_survive_any_fragmentation(sent: list[Frame], size: int) -> None:
    encoder, decoder = Encoder(), Decoder()
    data = b"".join(encoder.encode(frame) for frame in sent)
    received = [frame for at in range(0, len(data), size) for frame in decoder.feed(data[at : at + size])]
    assert received == sent


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_awaited(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        Decoder().feed(data)


def test_the_drafts_dictionary() -> None:
    # The checksum that every SPDY/3 header block begins with.
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


def test_bounds() -> None:
    with pytest.raises(ProtocolError):
        Decoder().feed(struct.pack("!II", 1, MAX_FRAME_BYTES + 1))
    bomb = zlib.compressobj(zdict=DICTIONARY)
    block = bomb.compress(bytes(50_000_000)) + bomb.flush(zlib.Z_SYNC_FLUSH)
    with pytest.raises(ProtocolError):
        Decoder().feed(struct.pack("!III", 0x80030002, len(block) + 4, 1) + block)


def test_another_version_is_refused() -> None:
    with pytest.raises(ProtocolError):
        Decoder().feed(struct.pack("!III", 0x80020006, 4, 1))

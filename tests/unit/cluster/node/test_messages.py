from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.node.shim.messages import Decoder, MessageError, encode


@given(st.lists(st.dictionaries(st.text(), st.integers()), max_size=5), st.integers(1, 20))
def test_messages_survive_any_cut(sent: list[dict[str, int]], size: int) -> None:
    data = b"".join(encode(message) for message in sent)
    decoder, received = Decoder(), []
    for start in range(0, len(data), size):
        received += decoder.feed(data[start : start + size])
    assert received == sent


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\0\0\0\x02xx", b"\0\0\0\x02[]"])
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(MessageError):
        Decoder().feed(data)

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.apiserver.rest.continue_token import ContinueToken, decode_token
from lateen.cluster.objects import Key
from lateen.cluster.status import StatusError


@given(st.integers(0, 2**62), st.text(max_size=60), st.text(max_size=60))
def test_a_token_comes_back_as_it_was(revision: int, namespace: str, name: str) -> None:
    token = ContinueToken(revision, namespace, name)
    assert decode_token(token.encode()) == token
    assert token.after == Key(namespace, name)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        "!",
        "a",
        "\u00e9",
        encoded("[]"),
        encoded("{}"),
        encoded('{"revision":"1","namespace":"","name":""}'),
        encoded('{"revision":1,"namespace":"","name":"","more":1}'),
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(StatusError) as refused:
        decode_token(text)
    assert refused.value.code == 400
    assert refused.value.message.startswith("continue key is not valid")

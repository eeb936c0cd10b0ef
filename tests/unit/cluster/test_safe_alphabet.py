from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lateen.cluster.safe_alphabet import ALPHABET, random_suffix, spelled


@given(st.integers(0, 2**32 - 1))
def test_a_number_is_spelled_in_letters_that_make_no_words(number: int) -> None:
    text = spelled(str(number))
    assert len(text) == len(str(number))
    assert set(text) <= set(ALPHABET)
    assert not set(ALPHABET) & set("aeiou013")


def test_as_kubernetes_spells() -> None:
    # `rand.SafeEncodeString` takes each character's code modulo the alphabet's length.
    assert spelled("0123456789") == "456789bcdf"


def test_suffixes() -> None:
    assert len(random_suffix()) == 5
    assert len({random_suffix(8) for _ in range(50)}) == 50

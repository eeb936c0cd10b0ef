from __future__ import annotations

import pytest

from lateen.cluster.apiserver.rest.yaml_body import load_yaml
from lateen.cluster.status import StatusError


def load(text: str, max_depth: int = 50) -> object:
    return load_yaml(text.encode(), [], max_depth)


def test_values_are_those_of_json() -> None:
    assert load("a: {b: [1, 2.5, yes, null, 2024-01-01]}\n1: x") == {
        "a": {"b": [1, 2.5, True, None, "2024-01-01"]},
        "1": "x",
    }


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 20_000 + "x",
        "\n".join(" " * level + "a:" for level in range(1500)),
    ],
)
def test_deep_nesting_is_refused_in_whatever_way_it_is_written(text: str) -> None:
    with pytest.raises(StatusError) as caught:
        load(text)
    assert caught.value.code == 400


def test_nesting_up_to_the_bound_is_fine() -> None:
    assert load("[[[]]]", 3) == [[[]]]
    with pytest.raises(StatusError, match="max depth of 2"):
        load("[[[]]]", 2)


def test_aliases_that_unfold_without_end_or_bound_are_refused() -> None:
    bomb = "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    with pytest.raises(StatusError, match="excessive aliasing"):
        load(bomb)
    with pytest.raises(StatusError):
        load("a: &a [*a]")
    chain = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 900))
    with pytest.raises(StatusError):
        load(chain)


def test_keys_given_twice_are_told_by_path() -> None:
    duplicates: list[str] = []
    load_yaml(b"a: {b: 1, b: 2}\nc: [{d: 1, d: 2}]", duplicates, 50)
    assert duplicates == ["a.b", "c[0].d"]

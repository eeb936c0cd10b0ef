from __future__ import annotations

import pytest
import yaml

from lateen.api.schema.yaml_depth import DEEPEST, is_too_deep


def block(levels: int) -> str:
    return "".join(f"{' ' * level}a:\n" for level in range(levels))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 500 + "]" * 500,
        "a: " + "{a: " * 500 + "1" + "}" * 500,
        "- " * 100_000 + "a",
        "? " * 500 + "a",
        block(500),
        "\n".join(["a: 1", "---", "- " * 500 + "b"]),
    ],
)
def test_what_would_overrun_the_stack_is_told(text: str) -> None:
    assert is_too_deep(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: 1",
        "[" * 50 + "]" * 50,
        block(100),
        "- " * 50 + "a",
        yaml.safe_dump([{"a": [{"b": [1]}]}] * 1000),
        "code: |\n" + "".join(f"  {'{' * 10}\n" for _ in range(1000)),
        "text: '" + "[" * 10_000 + "'",
        " " * (DEEPEST * 2) + "a: 1",
        "- - - - a\n" * 10,
        "text: |\n  " + "- " * 1000,
        "a: [",
        "\x00",
    ],
)
def test_everything_else_is_left_to_the_reader(text: str) -> None:
    assert not is_too_deep(text)

from __future__ import annotations

import json

import pytest

from lateen.capture.log import Log, output_level


def test_what_is_above_the_level_is_not_said() -> None:
    lines: list[str] = []
    log = Log(lines.append, "warn")
    log.debug("a")
    log.info("b")
    log.warn("c")
    log.error("d")
    assert lines == ["warn: c", "error: d"]


def test_json_is_one_object_per_line() -> None:
    lines: list[str] = []
    Log(lines.append, "info", json=True).info('said "so"\nand more')
    assert len(lines[0].splitlines()) == 1
    assert json.loads(lines[0])["msg"] == 'said "so"\nand more'


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("", "info"),
        ("default:debug", "debug"),
        ("ads:debug,all:error", "error"),
        ("ads:debug", "info"),
        ("none", "none"),
    ],
)
def test_the_level_is_the_last_one_meant_for_us(text: str, level: str) -> None:
    assert output_level(text) == level


def test_an_unknown_level_is_an_error() -> None:
    with pytest.raises(ValueError, match="default:loud"):
        output_level("default:loud")

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from lateen.istiod.logs import set_up_logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = before
    root.setLevel(level)


def test_text_lines(stream: io.StringIO) -> None:
    set_up_logs("info", as_json=False, stream=stream)
    logging.getLogger("lateen.sources.store").info("hello %s", "you", extra={"fields": {"a": 1}})
    logging.getLogger("lateen.x").debug("not shown")
    _, level, scope, *rest = stream.getvalue().rstrip("\n").split("\t")
    assert (level, scope, rest) == ("info", "sources.store", ["hello you", "a=1"])


def test_json_lines_with_a_trace(stream: io.StringIO) -> None:
    set_up_logs("warn", as_json=True, stream=stream)
    logger = logging.getLogger("lateen.x")
    logger.info("not shown")
    try:
        raise ValueError("broken\nin two")
    except ValueError:
        logger.exception("failed")
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    assert (found["level"], found["scope"], found["msg"]) == ("error", "x", "failed")
    assert "broken\nin two" in found["stack"]


@pytest.mark.parametrize("as_json", [False, True])
def test_nobodys_words_make_lines_of_their_own(stream: io.StringIO, as_json: bool) -> None:
    set_up_logs("info", as_json=as_json, stream=stream)
    said = "no\n2026-11-21T00:00:00Z\tinfo\tstatus\tall is well\x1b[2J\r\x9b\u2028end"
    logging.getLogger("lateen.x").warning("%s rejects: %s", "web.default", said)
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert not set(written) & set("\x1b\r\x9b\u2028")
    assert "all is well" in written


@pytest.mark.parametrize("as_json", [False, True])
def test_nobody_fills_the_log_with_a_single_line(stream: io.StringIO, as_json: bool) -> None:
    set_up_logs("info", as_json=as_json, stream=stream)
    logging.getLogger("lateen.x").warning("refused: %s", "x" * 100_000)
    assert "... (100009 characters)" in stream.getvalue()
    assert len(stream.getvalue()) < 10_000

from __future__ import annotations

import io

import pytest

from lateen.cluster.lifecycle.progress import Lines


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def show(stream: io.StringIO, *, colour: bool = True) -> str:
    with Lines(stream, colour=colour).step("Making it"):
        pass
    return stream.getvalue()


def test_a_pipe_gets_whole_lines_without_control_characters() -> None:
    assert show(io.StringIO()) == "  Making it: 0.0s\n"


def test_a_terminal_shows_the_running_step_in_colour_unless_told_not_to() -> None:
    assert show(Terminal()) == "  Making it ...\r\x1b[K  Making it: \x1b[32m0.0s\x1b[0m\n"
    assert show(Terminal(), colour=False) == "  Making it ...\r\x1b[K  Making it: 0.0s\n"


def test_a_failing_step_says_so() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError), Lines(stream, colour=True).step("Making it"):
        raise ValueError("no")
    assert stream.getvalue() == "  Making it: failed\n"

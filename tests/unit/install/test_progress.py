"""How it is told how an installation goes."""

from __future__ import annotations

from lateen.install.progress import Progress


def _told(*, is_terminal: bool) -> list[tuple[str, bool]]:
    lines: list[tuple[str, bool]] = []
    progress = Progress(lambda text, finished: lines.append((text, finished)), is_terminal=is_terminal)
    progress.working("Pilot", "waiting")
    progress.working("Pilot", "waiting")
    progress.done("Pilot", "installed")
    progress.working("Pilot", "waiting")
    progress.failed("Pilot", "failed")
    progress.note("by the way")
    return lines


def test_on_a_terminal_the_next_line_takes_the_place_of_one_that_is_not_finished() -> None:
    assert _told(is_terminal=True) == [
        ("- Control plane: waiting", False),
        ("✔ Control plane: installed", True),
        ("- Control plane: waiting", False),
        ("✘ Control plane: failed", True),
        ("by the way", True),
    ]


def test_elsewhere_lines_are_plain_and_nothing_is_said_twice() -> None:
    assert _told(is_terminal=False) == [
        ("Control plane: waiting", True),
        ("Control plane: installed", True),
        ("Control plane: waiting", True),
        ("Control plane: failed", True),
        ("by the way", True),
    ]

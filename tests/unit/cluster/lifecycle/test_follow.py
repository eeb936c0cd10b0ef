"""A log's end, and on as it grows and is replaced."""

from __future__ import annotations

from pathlib import Path

from lateen.cluster.lifecycle.follow import read_log


def test_the_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert list(read_log(log, 5)) == []
    log.write_text("".join(f"{n}\n" for n in range(10)))
    assert list(read_log(log, 2)) == ["8\n", "9\n"]
    assert list(read_log(log, 0)) == []


def test_no_line_is_lost_between_the_end_and_what_follows(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("one\ntwo\n")
    lines = read_log(log, 1, follow=True)
    assert next(lines) == "two\n"
    with log.open("a") as file:
        file.write("three\n")
    assert next(lines) == "three\n"
    # Rotated away, and begun anew.
    log.rename(tmp_path / "a.log.1")
    log.write_text("four\n")
    assert next(lines) == "four\n"
    log.write_text("5\n")
    assert next(lines) == "5\n"


def test_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    lines = read_log(tmp_path / "late.log", 10, follow=True)
    (tmp_path / "late.log").write_text("first\n")
    assert next(lines) == "first\n"

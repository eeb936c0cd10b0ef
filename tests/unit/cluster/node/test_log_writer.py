from __future__ import annotations

import re
from pathlib import Path

from lateen.cluster.node.shim.log_writer import MAX_LINE, LogWriter

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([PF]) (.*)")


def entries(path: Path) -> list[tuple[str, ...]]:
    return [m.groups() for m in (LINE.fullmatch(line) for line in path.read_text().splitlines()) if m]


def test_lines_are_whole_however_the_output_comes(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "0.log"), 1 << 20)
    for piece in (b"one\ntw", b"o\nthr", b"ee"):
        log.write("stdout", piece)
    log.write("stderr", b"oops\n")
    log.end("stdout")
    assert entries(tmp_path / "0.log") == [
        ("stdout", "F", "one"),
        ("stdout", "F", "two"),
        ("stderr", "F", "oops"),
        ("stdout", "F", "three"),
    ]


def test_long_lines_are_cut_and_lose_nothing(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "0.log"), 1 << 20)
    text = "x" * (2 * MAX_LINE + 5)
    log.write("stdout", text.encode() + b"\n")
    found = entries(tmp_path / "0.log")
    assert [flag for _, flag, _ in found] == ["P", "P", "F"]
    assert "".join(part for _, _, part in found) == text


def test_the_size_is_bounded(tmp_path: Path) -> None:
    log = LogWriter(str(tmp_path / "0.log"), 500)
    for number in range(50):
        log.write("stdout", f"line {number}\n".encode())
    assert (tmp_path / "0.log").stat().st_size <= 500
    assert (tmp_path / "0.log.1").stat().st_size <= 500
    assert entries(tmp_path / "0.log")[-1][2] == "line 49"

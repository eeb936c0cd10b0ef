from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lateen.cluster.node.runtime import LogFiles
from lateen.cluster.node.serving import log_reading
from lateen.cluster.node.serving.log_reading import LogOptions, read_log


def line(number: int, tag: str = "F") -> str:
    return f"2026-01-01T00:00:{number:02}.5Z stdout {tag} line {number}\n"


async def collect(files: LogFiles, options: LogOptions) -> str:
    return b"".join([chunk async for chunk in read_log(files, options)]).decode()


def ended(*paths: Path) -> LogFiles:
    finished = asyncio.Event()
    finished.set()
    return LogFiles(paths[-1], paths, finished)


@given(st.lists(st.integers(0, 59), max_size=30), st.integers(0, 30), st.integers(0, 35))
@settings(max_examples=40)
def test_tail_across_rotated_files(numbers: list[int], cut: int, count: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_reading, "_CHUNK", 37)
        import tempfile

        with tempfile.TemporaryDirectory() as directory:
            old, new = Path(directory) / "0.log.1", Path(directory) / "0.log"
            old.write_text("".join(line(n) for n in numbers[:cut]))
            new.write_text("".join(line(n) for n in numbers[cut:]))
            text = asyncio.run(collect(ended(old, new), LogOptions(tail_lines=count)))
    wanted = numbers[max(0, len(numbers) - count) :]
    assert text == "".join(f"line {n}\n" for n in wanted)


async def test_options(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_text(line(1) + line(2, "P") + line(3) + "garbage\n" + "2026-01-01T02:00:04+02:00 stderr F\n")
    files = ended(path)
    assert await collect(files, LogOptions()) == "line 1\nline 2line 3\n\n"
    stamped = await collect(files, LogOptions(timestamps=True))
    assert stamped.splitlines()[1] == "2026-01-01T00:00:02.5Z line 2line 3"
    since = dt.datetime(2026, 1, 1, 0, 0, 3, 500_000, dt.UTC)
    assert await collect(files, LogOptions(since=since)) == "line 3\n\n"
    assert await collect(files, LogOptions(limit_bytes=9)) == "line 1\nli"
    assert await collect(ended(tmp_path / "none"), LogOptions(tail_lines=3)) == ""


async def test_following_over_rotation_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reading, "POLL_SECONDS", 0.001)
    path = tmp_path / "0.log"
    path.write_text(line(1))
    finished = asyncio.Event()
    log = aiter(read_log(LogFiles(path, (path,), finished), LogOptions(follow=True)))
    assert await anext(log) == b"line 1\n"
    with path.open("a") as file:
        file.write(line(2)[:20])
        file.flush()
        file.write(line(2)[20:])
    path.rename(tmp_path / "0.log.1")
    path.write_text(line(3))
    assert await anext(log) == b"line 2\n"
    assert await anext(log) == b"line 3\n"
    with path.open("a") as file:
        file.write(line(4))
    finished.set()
    assert [chunk async for chunk in log] == [b"line 4\n"]


@pytest.mark.parametrize(
    ("stream", "expected"), [("All", "line 1\nwrong\nline 2\n"), ("Stdout", "line 1\nline 2\n"), ("Stderr", "wrong\n")]
)
async def test_one_stream(tmp_path: Path, stream: str, expected: str) -> None:
    path = tmp_path / "0.log"
    path.write_text(line(1) + "2026-01-01T00:00:01.7Z stderr F wrong\n" + line(2))
    assert await collect(ended(path), LogOptions(stream=stream)) == expected

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from lateen.agent import envoy_record
from lateen.agent.envoy_record import EnvoyRecord
from lateen.agent.process import adopt, child_of, spawn, start_time
from lateen.agent.replaced_file import replace

_SLEEP = (sys.executable, "-I", "-S", "-c", "import time; print('up', flush=True); time.sleep(600)")
_ENVIRONMENT = {"PATH": os.environ["PATH"]}


@pytest.mark.parametrize(
    ("code", "status"), [("pass", 0), ("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)]
)
async def test_the_end_of_a_child(code, status):
    process = spawn((sys.executable, "-I", "-S", "-c", code), _ENVIRONMENT)
    async with asyncio.timeout(60):
        assert await process.ended() == status
    process.signal(signal.SIGTERM)
    process.close()


async def test_what_a_child_writes_and_where_it_lives():
    read, write = os.pipe()
    process = spawn(_SLEEP, _ENVIRONMENT, output=write)
    os.close(write)
    assert await asyncio.to_thread(os.read, read, 10) == b"up\n"
    os.close(read)
    assert os.getsid(process.pid) == process.pid, "a session of its own"
    process.signal(signal.SIGTERM)
    assert await process.ended() == -signal.SIGTERM
    process.close()


def test_a_program_that_is_not_there():
    with pytest.raises(FileNotFoundError):
        spawn(("/no/such/program",), _ENVIRONMENT)


async def test_taking_over():
    read, write = os.pipe()
    process = spawn(_SLEEP, _ENVIRONMENT, output=write)
    os.close(write)
    # For a moment a new program has no command line yet.
    assert await asyncio.to_thread(os.read, read, 10) == b"up\n"
    os.close(read)
    started = start_time(process.pid)
    assert started is not None
    assert adopt(process.pid, started + 1) is None, "another process that has got the number"
    found = child_of(os.getpid(), _SLEEP)
    adopted = adopt(process.pid, started)
    assert found is not None
    assert adopted is not None
    assert found.pid == adopted.pid == process.pid
    assert child_of(os.getpid(), ("other", "command")) is None
    adopted.signal(signal.SIGKILL)
    async with asyncio.timeout(60):
        assert await adopted.ended() is None, "who is no child of ours does not tell"
        assert await process.ended() == -signal.SIGKILL
    assert start_time(process.pid) is None
    for each in (process, adopted, found):
        each.close()


def test_the_record_for_the_next_agent(tmp_path):
    assert envoy_record.read(str(tmp_path)) is None
    record = EnvoyRecord(12, 345, 6.5)
    envoy_record.write(str(tmp_path), record)
    assert envoy_record.read(str(tmp_path)) == record
    envoy_record.forget(str(tmp_path))
    envoy_record.forget(str(tmp_path))
    assert envoy_record.read(str(tmp_path)) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"pid": "1", "started": 2}', '{"pid": 1, "started": 2, "x": 3}']
)
def test_a_record_that_cannot_be_read_is_none(tmp_path, text):
    (tmp_path / "envoy-process.json").write_text(text)
    assert envoy_record.read(str(tmp_path)) is None


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "file"
    replace(str(path), "one")
    assert path.stat().st_mode & 0o777 == 0o600
    replace(str(path), "two", 0o644)
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o644
    (tmp_path / "directory").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace(str(tmp_path / "directory"), "x")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["directory", "file"]

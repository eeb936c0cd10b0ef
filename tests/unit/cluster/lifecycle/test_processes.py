from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lateen.cluster.lifecycle import processes

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
TIDY = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(3)); print('up', flush=True); signal.pause()"
WILLING = "import signal; print('up', flush=True); signal.pause()"


def start(program: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


def test_a_recorded_process_is_recognised_until_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.pid"
    process = start(WILLING)
    processes.record(path, process.pid)
    found = processes.read_record(path)
    assert found is not None
    assert found.alive
    assert processes.terminate(found, 10)
    process.wait()
    assert not found.alive


def test_a_reused_pid_is_not_mistaken_for_the_process(tmp_path: Path) -> None:
    process = start(WILLING)
    try:
        stranger = processes.ProcessRecord(process.pid, 1)
        assert not stranger.alive
        processes.terminate(stranger, 0)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    process = start(STUBBORN)
    found = processes.record(tmp_path / "a.pid", process.pid)
    assert found is not None
    assert not processes.terminate(found, 0.05)
    assert process.wait() == -9


def test_no_record_of_what_is_gone(tmp_path: Path) -> None:
    process = start(WILLING)
    process.kill()
    process.wait()
    assert processes.record(tmp_path / "a.pid", process.pid) is None
    assert processes.read_record(tmp_path / "a.pid") is None


def test_a_process_killed_outright_stops_nothing_before_its_end(tmp_path: Path) -> None:
    process = start(TIDY)
    found = processes.record(tmp_path / "a.pid", process.pid)
    assert found is not None
    processes.kill(found)
    assert process.wait() == -9
    processes.kill(found)

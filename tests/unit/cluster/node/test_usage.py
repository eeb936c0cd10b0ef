from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lateen.cluster.node.cgroups import Cgroups
from lateen.cluster.node.statistics import Statistics
from lateen.cluster.node.tracked import Tracked
from lateen.cluster.node.usage import Interface, Usage, container_usage, interfaces, machine_usage, process_usage

TICK = 10**9 // os.sysconf("SC_CLK_TCK")
MEBI = 1 << 20


def fill(directory: Path, **files: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name.replace("__", ".")).write_text(text)
    return directory


@pytest.fixture
def groups(tmp_path: Path) -> dict[str, dict[str, Path]]:
    stat = f"cache 1\ntotal_inactive_file {2 * MEBI}\ntotal_rss {MEBI}\n"
    return {
        "1": {
            "memory": fill(tmp_path / "m", memory__usage_in_bytes=f"{5 * MEBI}\n", memory__stat=stat),
            "cpuacct": fill(tmp_path / "c", cpuacct__usage="7000\n"),
        },
        "2": {
            "unified": fill(
                tmp_path / "u",
                cpu__stat="usage_usec 7\nuser_usec 3\n",
                memory__current=f"{5 * MEBI}\n",
                memory__stat=f"anon {MEBI}\ninactive_file {2 * MEBI}\n",
            )
        },
    }


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_versions_count_alike(groups: Any, version: str) -> None:
    assert container_usage(groups[version]) == Usage(7000, 5 * MEBI, 3 * MEBI, MEBI)


def test_what_is_gone_uses_nothing(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert container_usage({"memory": gone, "cpuacct": gone}) == container_usage({"unified": gone}) == Usage()
    assert container_usage({}) == Usage()
    assert interfaces([gone]) == []


def test_the_machine_and_a_process(tmp_path: Path) -> None:
    fill(
        tmp_path,
        stat="cpu  1 2 3 1000 1000 4 5 6 9 9\ncpu0 0 0 0 0\n",
        meminfo="MemTotal: 100 kB\nMemFree: 40 kB\nMemAvailable: 70 kB\nAnonPages: 10 kB\n",
    )
    assert machine_usage(tmp_path) == Usage(21 * TICK, 60 * 1024, 30 * 1024, 10 * 1024)
    fill(tmp_path / "1", stat="1 (a (b) c) S " + " ".join(str(n) for n in range(1, 40)), statm="9 2 1\n")
    assert process_usage(tmp_path / "1") == Usage((11 + 12) * TICK, *[2 * os.sysconf("SC_PAGE_SIZE")] * 3)


def test_interfaces_of_a_pod(tmp_path: Path) -> None:
    group = fill(tmp_path / "g", cgroup__procs="42\n43\n")
    text = "a\nb\n    lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
    fill(tmp_path / "42" / "net", dev=text)
    assert interfaces([tmp_path / "none", group], tmp_path) == [Interface("eth0", 1, 3, 9, 11)]


def test_rates_are_since_the_sample_before(monkeypatch: pytest.MonkeyPatch) -> None:
    used, times = iter((Usage(10**9), Usage(3 * 10**9))), iter((100.0, 100.0, 104.0, 104.0))
    monkeypatch.setattr("lateen.cluster.node.statistics.container_usage", lambda _: next(used))
    tracked = Tracked({"name": "c"}, "main", 0, {"id": "x", "state": "running", "started_at": 1.0})
    waiting = Tracked({"name": "w"}, "main")
    pods = [({"metadata": {"uid": "u"}, "spec": {}}, [tracked, waiting])]
    statistics = Statistics("n", Cgroups("n", "", "0::/"), lambda: pods, lambda: next(times))
    first, second = (statistics.sample(pods).pods[0].containers for _ in range(2))
    assert [c.name for c in first] == ["c"]
    assert (first[0].nano_cores, second[0].nano_cores) == (0, 500_000_000)

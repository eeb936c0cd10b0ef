from __future__ import annotations

from lateen.cluster.node.cgroups import Cgroups, cpu_quota, cpu_shares, cpu_weight


def test_conversions() -> None:
    assert [cpu_shares(m) for m in (0, 1, 100, 1000)] == [2, 2, 102, 1024]
    assert [cpu_weight(m) for m in (0, 1000)] == [1, 39]
    assert [cpu_quota(m) for m in (1, 500, 2000)] == [1000, 50000, 200000]


def test_without_controllers_there_are_no_limits() -> None:
    found = Cgroups("n", "1 0 0:1 / / rw - ext4 /dev/x rw", "0::/")
    assert found.version == 0
    assert found.create("uid", "c", 0, {"limits": {"memory": "1Gi"}}).procs == ()

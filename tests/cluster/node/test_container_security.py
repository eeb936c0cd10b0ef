"""Users, capabilities, views of processes and files, limits: seen from inside the containers."""

from __future__ import annotations

import pytest

from lateen.cluster.node.cgroups import Cgroups
from lateen.cluster.testing.single_node import FOREVER, SingleNode, container

pytestmark = pytest.mark.cluster

STATUS = "grep -E '^(Uid|Gid|Groups|CapEff|CapBnd|NoNewPrivs)' /proc/self/status | tr '\\t' ' '"


async def test_users_groups_and_capabilities(node: SingleNode) -> None:
    drop = {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}
    key = await node.create(
        {
            "restartPolicy": "Never",
            "securityContext": {"supplementalGroups": [7777]},
            "containers": [
                container(STATUS, "root"),
                container(STATUS, "few", securityContext=drop),
                container(
                    STATUS,
                    "user",
                    securityContext={"runAsUser": 4242, "runAsGroup": 4343, "allowPrivilegeEscalation": False},
                ),
            ],
        }
    )
    await node.until_phase(key, "Succeeded")
    root, few, user = (node.log(key, name) for name in ("root", "few", "user"))
    assert "CapEff: 00000000a80425fb" in root
    assert "NoNewPrivs: 0" in root
    assert "CapEff: 0000000000000400" in few
    assert "Uid: 4242 4242 4242 4242" in user
    assert "Gid: 4343 4343 4343 4343" in user
    assert "Groups: 4343 7777" in user
    assert "CapEff: 0000000000000000" in user
    assert "NoNewPrivs: 1" in user


async def test_read_only_root_and_private_tmp(node: SingleNode) -> None:
    script = "touch /x 2>&1 | grep -o 'Read-only file system'; touch /proc/sys/kernel/hostname 2>/dev/null || echo no"
    key = await node.create(
        {
            "restartPolicy": "Never",
            "containers": [container(script, securityContext={"readOnlyRootFilesystem": True})],
        }
    )
    await node.until_phase(key, "Succeeded")
    assert node.log(key, "main").splitlines()[0] == "Read-only file system"


async def test_non_root_is_enforced(node: SingleNode) -> None:
    key = await node.create({"securityContext": {"runAsNonRoot": True}, "containers": [container("true")]})
    pod = await node.until(key, lambda pod: "CreateContainerConfigError" in str(pod.get("status")))
    message = pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
    assert message.startswith("container has runAsNonRoot and image will run as root (pod: ")


async def test_processes_are_shared_only_when_asked(node: SingleNode) -> None:
    for shared in (False, True):
        key = await node.create(
            {
                "shareProcessNamespace": shared,
                "containers": [container(FOREVER, "one"), container("exec sleep 98765", "two")],
            }
        )
        await node.until_phase(key, "Running")
        _, output = await node.execute(key, "one", "sh", "-c", "cat /proc/[0-9]*/cmdline")
        assert ("98765" in output) is shared


async def test_memory_limits_kill(node: SingleNode) -> None:
    if not Cgroups.detect("probe").version:
        pytest.skip("no cgroups")
    spec = container("tail /dev/zero", resources={"limits": {"memory": "16Mi"}})
    key = await node.create({"restartPolicy": "Never", "containers": [spec]})
    pod = await node.until_phase(key, "Failed")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)

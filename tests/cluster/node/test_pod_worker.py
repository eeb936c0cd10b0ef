"""Pods on a node of their own: real processes, namespaces and mounts; the API is in memory."""

from __future__ import annotations

import pytest

from lateen.cluster.testing.single_node import FOREVER, SingleNode, container

pytestmark = pytest.mark.cluster


async def test_a_trivial_pod_runs_is_ready_and_goes(node: SingleNode) -> None:
    key = await node.create({"containers": [container(FOREVER)]})
    pod = await node.until_phase(key, "Running")
    status = pod["status"]["containerStatuses"][0]
    assert status["ready"]
    assert status["started"]
    assert status["restartCount"] == 0
    assert status["containerID"].startswith("lateen://")
    assert {c["type"]: c["status"] for c in pod["status"]["conditions"]} == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "ContainersReady": "True",
        "Ready": "True",
    }
    await node.api.delete_pod(key)
    await node.until_gone(key)
    assert [e["reason"] for e in node.api.events][:4] == ["Pulled", "Created", "Started", "Killing"]


async def test_what_a_container_sees(node: SingleNode) -> None:
    script = "hostname; echo pid $$$$; id -u; ls /tmp; cat /etc/resolv.conf; ls -d /root/.ssh; echo $HOME $A"
    key = await node.create(
        {"restartPolicy": "Never", "containers": [container(script, env=[{"name": "A", "value": "$(HOSTNAME)-x"}])]},
        name="seer",
    )
    pod = await node.until_phase(key, "Succeeded")
    log = node.log(key, "main")
    assert log.splitlines()[:3] == ["seer", "pid 1", "0"]
    assert f"nameserver {node.layout.dns_service_ipv4}" in log
    assert "search default.svc.cluster.local svc.cluster.local cluster.local" in log
    assert log.splitlines()[-1] == "/root $(HOSTNAME)-x"
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"


async def test_exit_codes_messages_and_restarts(node: SingleNode) -> None:
    key = await node.create({"containers": [container("echo bye > /dev/termination-log; exit 3")]})
    pod = await node.until(
        key,
        lambda pod: (
            pod.get("status", {}).get("containerStatuses", [{}])[0].get("state", {}).get("waiting", {}).get("reason")
            == "CrashLoopBackOff"
        ),
    )
    status = pod["status"]["containerStatuses"][0]
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert status["lastState"]["terminated"]["message"] == "bye\n"
    assert status["state"]["waiting"]["message"].startswith("back-off 10s restarting failed container=main pod=")


async def test_unknown_image(node: SingleNode) -> None:
    key = await node.create({"containers": [{"name": "main", "image": "example.com/nothing:1"}]})
    pod = await node.until(key, lambda pod: "ErrImagePull" in str((pod.get("status") or {}).get("containerStatuses")))
    message = pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"]
    assert "`lateen cluster load-image --name " in message
    assert " example.com/nothing:1 -- " in message


async def test_program_that_does_not_exist(node: SingleNode) -> None:
    key = await node.create(
        {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox", "command": ["nope"]}]}
    )
    pod = await node.until_phase(key, "Failed")
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["exitCode"] == 128
    assert ended["reason"] == "StartError"
    assert 'exec: "nope": executable file not found in $PATH' in ended["message"]


async def test_init_containers_and_sidecars_in_order(node: SingleNode) -> None:
    record = {"name": "shared", "mountPath": "/shared"}
    sidecar = container(
        "echo sidecar-start >> /shared/order; trap 'echo sidecar-stop >> /shared/order; exit 0' TERM; "
        "while :; do sleep 1000 & wait; done",
        "sidecar",
        restartPolicy="Always",
        volumeMounts=[record],
    )
    main = container(
        "echo main-start >> /shared/order; sleep 0.2; echo main-end >> /shared/order; ", "main", volumeMounts=[record]
    )
    key = await node.create(
        {
            "restartPolicy": "Never",
            "volumes": [{"name": "shared", "hostPath": {"path": str(node.layout.root / "shared")}}],
            "initContainers": [
                container("echo first >> /shared/order", "first", volumeMounts=[record]),
                sidecar,
                container("echo second >> /shared/order", "second", volumeMounts=[record]),
            ],
            "containers": [main],
        }
    )
    await node.until_phase(key, "Succeeded")
    order = (node.layout.root / "shared" / "order").read_text().split()
    assert order[0] == "first"
    assert order.index("sidecar-start") < order.index("main-start")
    assert order[-3:] == ["main-start", "main-end", "sidecar-stop"]


async def test_pods_survive_the_node_process(idle_node: SingleNode) -> None:
    node = idle_node
    async with node.running():
        key = await node.create({"containers": [container(f"echo begun; {FOREVER}")]})
        before = (await node.until_phase(key, "Running"))["status"]["containerStatuses"][0]
    async with node.running():
        code, output = await node.execute(key, "main", "sh", "-c", "echo $((6*7)); exit 5")
        assert (code, output) == (5, "42\n")
        after = node.pods.find_pod("default", key.name)["status"]["containerStatuses"][0]
        assert after["containerID"] == before["containerID"]
        assert after["ready"]
        assert node.log(key, "main") == "begun"
        await node.api.delete_pod(key)
        await node.until_gone(key)


async def test_a_container_that_ends_while_no_node_runs_is_not_lost(idle_node: SingleNode) -> None:
    node = idle_node
    flag = node.layout.root / "flag"
    flag.mkdir()
    volume = {"name": "flag", "hostPath": {"path": str(flag)}}
    script = "while ! [ -e /flag/go ]; do sleep 0.02; done; echo done > /flag/end; exit 7"
    async with node.running():
        spec = container(script, volumeMounts=[{"name": "flag", "mountPath": "/flag"}])
        key = await node.create({"restartPolicy": "Never", "volumes": [volume], "containers": [spec]})
        await node.until_phase(key, "Running")
    (flag / "go").touch()
    async with node.running():
        pod = await node.until_phase(key, "Failed")
        assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 7

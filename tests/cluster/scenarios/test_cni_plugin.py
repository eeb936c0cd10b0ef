"""A CNI plugin dropped into a node's directories, as a mesh's installer does it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster

_PLUGIN = """#!/usr/bin/env python3
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
config = json.load(sys.stdin)
names = [n for n in os.environ if n.startswith("CNI_")]
call = {"env": {n: os.environ[n] for n in names}, "config": config, "netns": os.path.exists(os.environ["CNI_NETNS"])}
with open(here / "calls", "a") as calls:
    calls.write(json.dumps(call) + "\\n")
arguments = dict(a.split("=", 1) for a in os.environ["CNI_ARGS"].split(";"))
if os.environ["CNI_COMMAND"] == "ADD":
    if arguments["K8S_POD_NAME"] == "refused" and not (here / "allowed").exists():
        print(json.dumps({"cniVersion": config["cniVersion"], "code": 11, "msg": "not this one", "details": "later"}))
        sys.exit(1)
    print(json.dumps(config["prevResult"]))
if os.environ["CNI_COMMAND"] == "CHECK":
    print(json.dumps({"cniVersion": config["cniVersion"], "code": 12, "msg": "rules are gone"}))
    sys.exit(1)
"""


def _calls(directory: Path) -> list[dict[str, Any]]:
    calls = directory / "calls"
    return [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []


def _of(calls: list[dict[str, Any]], pod: str) -> list[dict[str, Any]]:
    return [c for c in calls if f"K8S_POD_NAME={pod};" in c["env"]["CNI_ARGS"] + ";"]


def _pod(name: str) -> str:
    spec = {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": "example.org/pause"}],
    }
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def _event(cluster: LocalCluster, pod: str, reason: str) -> str:
    """The line of a pod's event, as soon as there is one."""
    events = cluster.start_kubectl("get", "events", f"--field-selector=involvedObject.name={pod}", "--watch")
    assert events.stdout is not None
    try:
        return next(line for line in events.stdout if reason in line)
    finally:
        events.kill()
        events.wait()


def test_a_chained_plugin_is_called_for_every_pod() -> None:
    with LocalCluster() as cluster:
        cni = cluster.root / "nodes" / "1" / "cni"
        configuration = cni / "net.d" / "10-lateen.conflist"
        chain = json.loads(configuration.read_text())
        chain["plugins"].append({"type": "recorder", "colour": "red"})
        (cni / "bin" / "recorder").write_text(_PLUGIN)
        (cni / "bin" / "recorder").chmod(0o755)
        temporary = configuration.with_suffix(".tmp")
        temporary.write_text(json.dumps(chain))
        temporary.replace(configuration)

        cluster.apply(_pod("seen"))
        cluster.kubectl("wait", "pod/seen", "--for=condition=Ready", "--timeout=60s")
        pod = cluster.get("pod", "seen")
        calls = _of(_calls(cni / "bin"), "seen")
        assert [c["env"]["CNI_COMMAND"] for c in calls if c["env"]["CNI_COMMAND"] != "CHECK"] == ["ADD"]
        added = calls[0]
        assert added["netns"]
        assert added["env"]["CNI_IFNAME"] == "eth0"
        assert str(cni / "bin") in added["env"]["CNI_PATH"].split(":")
        arguments = dict(a.split("=", 1) for a in added["env"]["CNI_ARGS"].split(";"))
        assert arguments["K8S_POD_NAMESPACE"] == "default"
        assert arguments["K8S_POD_UID"] == pod["metadata"]["uid"]
        assert arguments["K8S_POD_INFRA_CONTAINER_ID"] == added["env"]["CNI_CONTAINERID"]
        config = added["config"]
        assert (config["name"], config["type"], config["colour"]) == (chain["name"], "recorder", "red")
        addresses = [entry["address"].partition("/")[0] for entry in config["prevResult"]["ips"]]
        assert addresses == [entry["ip"] for entry in pod["status"]["podIPs"]]

        # A node that starts again asks the chain whether the network of what runs is as it should be, and tells.
        cluster.until_replaced("node-1", cluster.kill("node-1"))
        told = _event(cluster, "seen", "NetworkNotReady")
        assert 'plugin type="recorder" name="lateen" failed (check): rules are gone' in told
        checked = _of(_calls(cni / "bin"), "seen")[-1]
        assert checked["env"]["CNI_COMMAND"] == "CHECK"
        assert checked["config"]["prevResult"]["ips"] == config["prevResult"]["ips"]

        cluster.kubectl("delete", "pod", "seen", "--timeout=60s")
        last = _of(_calls(cni / "bin"), "seen")[-1]
        assert last["env"]["CNI_COMMAND"] == "DEL"
        assert last["env"]["CNI_CONTAINERID"] == added["env"]["CNI_CONTAINERID"]
        assert last["netns"]
        assert last["config"]["prevResult"]["ips"] == config["prevResult"]["ips"]

        # A plugin that fails keeps the pod from starting, and is asked again.
        cluster.apply(_pod("refused"))
        message = _event(cluster, "refused", "FailedCreatePodSandBox")
        assert 'plugin type="recorder" name="lateen" failed (add): not this one; later' in message
        assert cluster.get("pod", "refused")["status"]["phase"] == "Pending"
        assert "ContainerCreating" in cluster.kubectl("get", "pod", "refused")
        (cni / "bin" / "allowed").touch()
        cluster.kubectl("wait", "pod/refused", "--for=condition=Ready", "--timeout=60s")
        failed = _of(_calls(cni / "bin"), "refused")
        assert [c["env"]["CNI_COMMAND"] for c in failed][:2] == ["ADD", "DEL"]
        assert [c["env"]["CNI_COMMAND"] for c in failed if c["env"]["CNI_COMMAND"] != "CHECK"][-1] == "ADD"

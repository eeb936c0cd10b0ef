"""Volumes of real pods: what containers find at their mount paths, and how it follows its source."""

from __future__ import annotations

import base64

import pytest

from lateen.cluster.objects import GVR, Key
from lateen.cluster.testing.single_node import FOREVER, SingleNode, container

pytestmark = pytest.mark.cluster

CONFIG_MAPS = GVR("", "v1", "configmaps")


async def test_contents_modes_and_owners(node: SingleNode) -> None:
    await node.put("configmaps", "settings", data={"a.txt": "A", "b.txt": "B"})
    await node.put("secrets", "hush", data={"key": base64.b64encode(b"s3cret").decode()})
    volumes = [
        {
            "name": "config",
            "configMap": {"name": "settings", "items": [{"key": "a.txt", "path": "deep/a", "mode": 256}]},
        },
        {"name": "secret", "secret": {"secretName": "hush", "defaultMode": 0o400}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "fast", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {
            "name": "all",
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"path": "token", "expirationSeconds": 600}},
                    {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                ]
            },
        },
        {"name": "optional", "configMap": {"name": "absent", "optional": True}},
    ]
    mounts = [{"name": v["name"], "mountPath": f"/v/{v['name']}"} for v in volumes]
    mounts.append({"name": "config", "mountPath": "/one", "subPath": "deep/a"})
    mounts.append({"name": "scratch", "mountPath": "/sub", "subPathExpr": "made/$(HOST)"})
    script = (
        "stat -c '%a %u:%g' /v/config/..data/deep/a /v/secret/..data/key /v/scratch /v/fast; cat /v/config/deep/a "
        "/v/secret/key /one; echo; df /v/fast | tail -1 | cut -d' ' -f1; cat /v/all/token; echo; cat /v/all/labels; "
        "echo; touch /v/config/x || echo read-only; touch /sub/mine && ls /v/scratch/made/here; ls /v/optional"
    )
    security = {"runAsUser": 1234, "runAsGroup": 1234, "fsGroup": 4321}
    key = await node.create(
        {
            "restartPolicy": "Never",
            "securityContext": security,
            "volumes": volumes,
            "containers": [container(script, volumeMounts=mounts, env=[{"name": "HOST", "value": "here"}])],
        },
        labels={"app": "x"},
    )
    await node.until_phase(key, "Succeeded")
    lines = node.log(key, "main").splitlines()
    assert lines[:4] == ["440 0:4321", "440 0:4321", "2777 0:4321", "2777 0:4321"]
    assert lines[4] == "As3cretA"
    assert lines[5] == "tmpfs"
    assert lines[6].startswith("token-of-default-")
    assert lines[7] == 'app="x"'
    assert "read-only" in lines
    assert lines[-1] == "mine"


async def test_updates_arrive_at_once_in_running_pods(node: SingleNode) -> None:
    await node.put("configmaps", "live", data={"value": "old"})
    key = await node.create(
        {
            "volumes": [{"name": "live", "configMap": {"name": "live"}}],
            "containers": [container(FOREVER, volumeMounts=[{"name": "live", "mountPath": "/live"}])],
        }
    )
    await node.until_phase(key, "Running")
    config_map = await node.api.get(CONFIG_MAPS, Key("default", "live"))
    await node.api.update(CONFIG_MAPS, config_map | {"data": {"value": "new", "more": "x"}})
    wait = 'until [ "$(cat /live/value)" = new ]; do sleep 0.02; done; ls /live'
    assert await node.execute(key, "main", "sh", "-c", wait) == (0, "more\nvalue\n")


async def test_a_pod_waits_for_what_is_missing(node: SingleNode) -> None:
    key = await node.create(
        {
            "restartPolicy": "Never",
            "volumes": [{"name": "late", "configMap": {"name": "late"}}],
            "containers": [container("cat /late/k", volumeMounts=[{"name": "late", "mountPath": "/late"}])],
        }
    )
    event = await node.until_event("FailedMount")
    assert event["message"] == 'MountVolume.SetUp failed for volume "late" : configmap "late" not found'
    await node.put("configmaps", "late", data={"k": "there"})
    await node.until_phase(key, "Succeeded")
    assert node.log(key, "main") == "there"


async def test_links_do_not_lead_out_of_a_volume(node: SingleNode) -> None:
    volumes = [{"name": "shared", "emptyDir": {}}]
    first = container("ln -s /etc /shared/out", "first", volumeMounts=[{"name": "shared", "mountPath": "/shared"}])
    evil = container("ls /stolen", volumeMounts=[{"name": "shared", "mountPath": "/stolen", "subPath": "out"}])
    key = await node.create(
        {"restartPolicy": "Never", "volumes": volumes, "initContainers": [first], "containers": [evil]}
    )
    pod = await node.until_phase(key, "Failed")
    assert "cross-device link" in pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"]


async def test_environment_from_what_appears_later(node: SingleNode) -> None:
    env = [{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "later", "key": "word"}}}]
    key = await node.create({"restartPolicy": "Never", "containers": [container("echo $WORD", env=env)]})
    pod = await node.until(
        key, lambda pod: "CreateContainerConfigError" in str((pod.get("status") or {}).get("containerStatuses"))
    )
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["message"] == 'secret "later" not found'
    await node.put("secrets", "later", data={"word": base64.b64encode(b"hello").decode()})
    await node.until_phase(key, "Succeeded")
    assert node.log(key, "main") == "hello"


async def test_too_much_on_disk_and_volumes_of_no_known_type(node: SingleNode) -> None:
    volumes = [{"name": "scratch", "emptyDir": {"sizeLimit": "1Mi"}}]
    script = f"head -c 3000000 /dev/zero > /scratch/big; {FOREVER}"
    mounts = [{"name": "scratch", "mountPath": "/scratch"}]
    greedy = await node.create(
        {
            "terminationGracePeriodSeconds": 1,
            "volumes": volumes,
            "containers": [container(script, volumeMounts=mounts)],
        }
    )
    await node.create({"volumes": [{"name": "n", "nfs": {}}], "containers": [container(FOREVER)]})
    status = (await node.until_phase(greedy, "Failed"))["status"]
    assert status["reason"] == "Evicted"
    assert status["message"] == 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". '
    refused = await node.until_event("FailedMount")
    expected = 'MountVolume.SetUp failed for volume "n" : volumes of type nfs are not supported by this node'
    assert refused["message"] == expected

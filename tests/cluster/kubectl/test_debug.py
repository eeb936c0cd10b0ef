"""kubectl debug: ephemeral containers, copies of pods, pods on nodes."""

from __future__ import annotations

import pytest

from lateen.testing.local_cluster import LocalCluster

# Before 1.23 it asks for a form of the subresource that Kubernetes 1.25 no longer has; profiles are of 1.27.
pytestmark = [pytest.mark.cluster, pytest.mark.kubectl(1, 27)]


def test_an_ephemeral_container_sees_its_target_and_leaves_the_pod_alone(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("run", "app", "--image=busybox", *n, "--command", "--", "sleep", "31536000")
    cluster.kubectl("wait", "pod/app", "--for=condition=Ready", "--timeout=60s", *n)
    debug = ("debug", "app", "--image=busybox", "--profile=general", *n)
    cluster.kubectl(*debug, "-c", "eyes", "--target=app", "--", "sh", "-c", "ps ax; exit 3")
    state = "{.status.ephemeralContainerStatuses[0].state.terminated.exitCode}"
    cluster.kubectl("wait", "pod/app", f"--for=jsonpath={state}=3", "--timeout=60s", *n)
    assert "sleep 31536000" in cluster.kubectl("logs", "app", "-c", "eyes", *n)
    cluster.kubectl(*debug, "-c", "alone", "--", "sh", "-c", "ps ax; sleep 1000")
    running = "{.status.ephemeralContainerStatuses[1].state.running}"
    cluster.kubectl("wait", "pod/app", f"--for=jsonpath={running}", "--timeout=60s", *n)
    out = cluster.kubectl("exec", "app", "-c", "alone", *n, "--", "ps", "ax")
    assert "sleep 1000" in out
    assert "31536000" not in out
    shown = cluster.kubectl("describe", "pod", "app", *n)
    assert "Ephemeral Containers:\n  eyes:" in shown
    assert "Started container eyes" in shown
    row = cluster.kubectl("get", "pod", "app", "--no-headers", *n).split()
    assert row[1:4] == ["1/1", "Running", "0"]
    refused = cluster.try_kubectl(*debug, "--target=absent", "--", "true")
    assert 'targetContainerName: Not found: "absent"' in refused.stderr
    cluster.kubectl("delete", "pod", "app", "--now", *n)


def test_a_copy_of_a_pod_and_a_pod_on_a_node(cluster: LocalCluster, namespace: str) -> None:
    n = ("-n", namespace)
    cluster.kubectl("run", "app", "--image=busybox", *n, "--command", "--", "sleep", "1000")
    cluster.kubectl("debug", "app", "--copy-to=copy", "--set-image=app=alpine", "--profile=general", *n)
    cluster.kubectl("wait", "pod/copy", "--for=condition=Ready", "--timeout=60s", *n)
    assert cluster.get("pod", "copy", *n)["spec"]["containers"][0]["image"] == "alpine"
    node = cluster.get("nodes")["items"][0]["metadata"]["name"]
    # Without --attach: what a process says before somebody attaches is in its log only.
    command = ("--", "ls", "-d", "/host/etc")
    made = cluster.kubectl("debug", f"node/{node}", "--image=busybox", "--profile=general", *n, *command)
    pod = next(word for word in made.split() if word.startswith("node-debugger-"))
    cluster.kubectl("wait", f"pod/{pod}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s", *n)
    assert cluster.kubectl("logs", pod, *n) == "/host/etc\n"

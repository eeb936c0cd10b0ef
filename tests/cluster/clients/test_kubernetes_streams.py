"""Logs, exec and port-forward of the `kubernetes` package, over WebSockets."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client, config, watch
from kubernetes.stream import portforward, stream

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster


@pytest.fixture
def streams(cluster: LocalCluster) -> client.CoreV1Api:
    """An API of its own: `stream` exchanges how its client sends requests, for a while."""
    return client.CoreV1Api(config.new_client_from_config(str(cluster.kubeconfig)))


def start_pod(core: client.CoreV1Api, namespace: str, *, image: str, command: list[str] | None = None) -> None:
    container: dict[str, Any] = {"name": "main", "image": image, "command": command}
    if command is None:
        container["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    spec = {"containers": [container], "restartPolicy": "Never", "terminationGracePeriodSeconds": 0}
    core.create_namespaced_pod(namespace, {"metadata": {"name": "pod"}, "spec": spec})
    watcher = watch.Watch()
    for event in watcher.stream(core.list_namespaced_pod, namespace, timeout_seconds=60):
        if any(found.ready for found in event["object"].status.container_statuses or []):
            watcher.stop()


def test_exec_with_input_and_its_status_and_logs_to_the_end(streams: client.CoreV1Api, namespace: str) -> None:
    script = "mkfifo /tmp/go; echo one; echo two; read _ < /tmp/go; echo three"
    start_pod(streams, namespace, image="busybox", command=["sh", "-c", script])

    def run(command: list[str], **options: Any) -> Any:
        return stream(
            streams.connect_get_namespaced_pod_exec,
            "pod",
            namespace,
            command=command,
            stdout=True,
            stderr=True,
            **{"stdin": False, "tty": False, **options},
        )

    assert run(["echo", "hello"]) == "hello\n"
    shell = run(["sh"], stdin=True, _preload_content=False)
    shell.write_stdin("echo out; echo err >&2\n")
    assert shell.readline_stdout(timeout=30) == "out"
    assert shell.readline_stderr(timeout=30) == "err"
    shell.write_stdin("exit 7\n")
    shell.run_forever(timeout=30)
    assert shell.returncode == 7
    terminal = run(["sh", "-c", "test -t 0 && stty size"], stdin=True, tty=True, _preload_content=False)
    terminal.run_forever(timeout=30)
    assert terminal.returncode == 0
    absent = run(["no-such-program"], _preload_content=False)
    absent.run_forever(timeout=30)
    assert "no-such-program" in absent.read_channel(3)

    assert streams.read_namespaced_pod_log("pod", namespace, tail_lines=1) == "two\n"
    lines = []
    for line in watch.Watch().stream(streams.read_namespaced_pod_log, "pod", namespace, follow=True):
        lines.append(line)
        if line == "two":
            run(["sh", "-c", "echo > /tmp/go"])
    assert lines == ["one", "two", "three"], "the log ends with its container"


def test_port_forward(streams: client.CoreV1Api, namespace: str) -> None:
    start_pod(streams, namespace, image="lateen.dev/echo")
    for _ in range(2):
        forward = portforward(streams.connect_get_namespaced_pod_portforward, "pod", namespace, ports="8080,1")
        connection = forward.socket(8080)
        connection.settimeout(30)
        connection.sendall(b"GET /hi HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda connection=connection: connection.recv(65536), b""))
        connection.close()
        assert answer.startswith(b"HTTP/1.1 200")
        assert forward.error(8080) is None
    refused = forward.socket(1)
    refused.settimeout(30)
    assert refused.recv(1) == b"", "nobody listens there"
    assert "refused" in forward.error(1)

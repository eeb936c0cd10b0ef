"""The image catalog: what is not in it says how to add it, and what is added runs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lateen.testing.local_cluster import LocalCluster

pytestmark = pytest.mark.cluster


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that every user can enter; pytest's are root's alone."""
    with tempfile.TemporaryDirectory(prefix="lateen-image-") as path:
        Path(path).chmod(0o755)
        yield Path(path)


def test_an_unknown_image_says_how_to_add_it_and_runs_once_added(
    cluster: LocalCluster, namespace: str, open_path: Path
) -> None:
    n = ("-n", namespace)
    image = f"registry.example.com/{namespace}/greeter:v1"
    program = open_path / "greet"
    program.write_text('#!/bin/sh\necho "$GREETING, $1 from $(pwd) as $(id -u)"\n')
    program.chmod(0o755)
    run = ("run", f"--image={image}", "--restart=Never", *n)
    cluster.kubectl(*run, "greeter")
    watch = cluster.start_kubectl("get", "events", "-w", *n)
    assert watch.stdout is not None
    try:
        message = next(line for line in watch.stdout if "load-image" in line)
    finally:
        watch.kill()
        watch.wait()
    assert f"lateen cluster load-image --name {cluster.name} {image} -- PROGRAM" in message

    options = ("--env", "GREETING=Ahoy", "--workdir", "/tmp", "--user", "1234")
    out = cluster.lateen("load-image", *options, image, "--", str(program), "sailor")
    assert image in out
    # The pod's own words count for more than the image's.
    cluster.kubectl(*run, "other", "--env=GREETING=Hello")
    for pod, said in (("greeter", "Ahoy, sailor from /tmp as 1234\n"), ("other", "Hello, sailor from /tmp as 1234\n")):
        cluster.wait_for("{.status.phase}=Succeeded", f"pod/{pod}", *n, timeout=80)
        assert cluster.kubectl("logs", pod, *n) == said

    invalid = {"containers": [{"name": "main", "image": "UPPER/Case"}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "invalid"}, "spec": invalid}
    cluster.apply(json.dumps(body), *n)
    cluster.wait_for("{.status.containerStatuses[0].state.waiting.reason}=InvalidImageName", "pod/invalid", *n)

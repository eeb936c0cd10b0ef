from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lateen.cluster.node.local_storage import disk_usage, excess, is_limited
from lateen.cluster.node.pod_directory import PodDirectory

KIB = 1024


def pod(volumes: list[Any] | None = None, **limits: str) -> dict[str, Any]:
    resources = {"limits": {"ephemeral-storage": limits["storage"]}} if limits else {}
    return {"spec": {"volumes": volumes or [], "containers": [{"name": "app", "resources": resources}]}}


@pytest.fixture
def directory(tmp_path: Path) -> PodDirectory:
    found = PodDirectory.of(tmp_path, "uid")
    for path in (found.volume("cache"), found.root_layer("app", 0) / "upper", found.log("app", 0).parent):
        path.mkdir(parents=True)
    return found


LIMITED = [{"name": "cache", "emptyDir": {"sizeLimit": "64Ki"}}]
FREE = [{"name": "cache", "emptyDir": {}}]


@pytest.mark.parametrize(
    ("spec", "where", "size", "message"),
    [
        (pod(LIMITED), "volume", 32 * KIB, ""),
        (pod(LIMITED), "volume", 128 * KIB, 'Usage of EmptyDir volume "cache" exceeds the limit "64Ki". '),
        (pod(FREE), "volume", 128 * KIB, ""),
        (
            pod(FREE, storage="64Ki"),
            "volume",
            128 * KIB,
            "Pod ephemeral local storage usage exceeds the total limit of containers 64Ki. ",
        ),
        (
            pod(storage="64Ki"),
            "layer",
            128 * KIB,
            "Pod ephemeral local storage usage exceeds the total limit of containers 64Ki. ",
        ),
        (pod(storage="1Mi"), "log", 128 * KIB, ""),
    ],
)
def test_limits(directory: PodDirectory, spec: Any, where: str, size: int, message: str) -> None:
    places = {
        "volume": directory.volume("cache") / "below" / "file",
        "layer": directory.root_layer("app", 0) / "upper" / "file",
        "log": directory.log("app", 0),
    }
    places[where].parent.mkdir(exist_ok=True)
    places[where].write_bytes(b"x" * size)
    assert excess(spec, directory, [("app", 0)]) == message


def test_a_container_has_its_own_limit(directory: PodDirectory) -> None:
    spec = pod(storage="64Ki")
    spec["spec"]["containers"].append({"name": "b", "resources": {"limits": {"ephemeral-storage": "1Mi"}}})
    (directory.root_layer("app", 0) / "upper" / "file").write_bytes(b"x" * 128 * KIB)
    message = 'Container app exceeded its local ephemeral storage limit "64Ki". '
    assert excess(spec, directory, [("app", 0)]) == message


def test_what_needs_no_measuring() -> None:
    assert not is_limited(pod(FREE))
    assert not is_limited(pod([{"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]))
    assert is_limited(pod(LIMITED))


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 512 * KIB)
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "link").symlink_to(tmp_path)
    assert disk_usage(tmp_path / "dir") < 64 * KIB
    assert disk_usage(tmp_path / "none") == 0

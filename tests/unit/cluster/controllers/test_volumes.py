from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lateen.cluster.controllers.volumes import best_volume, new_volume, provisioned_directory

UID = "0f1e2d3c-0000-4000-8000-000000000001"


def claim(**spec: Any) -> dict[str, Any]:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"metadata": {"name": "c", "namespace": "ns", "uid": UID}, "spec": {"storageClassName": "manual", **wanted}}


def volume(name: str, size: str = "1Gi", **spec: Any) -> dict[str, Any]:
    given = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "manual", **spec}
    return {"metadata": {"name": name}, "spec": given}


def test_the_smallest_that_fits() -> None:
    volumes = [
        volume("big", "5Gi"),
        volume("right", "2Gi"),
        volume("small", "10Mi"),
        volume("other-class", storageClassName="x"),
        volume("other-mode", accessModes=["ReadOnlyMany"]),
        volume("taken", claimRef={"namespace": "ns", "name": "c", "uid": "another"}),
    ]
    found = best_volume(volumes, claim())
    assert found is not None
    assert found["metadata"]["name"] == "right"
    reserved = volume("reserved", "9Gi", claimRef={"namespace": "ns", "name": "c"})
    assert best_volume([*volumes, reserved], claim()) is reserved
    assert best_volume([volume("a")], claim(volumeName="b")) is None


def test_only_our_own_directories_are_reclaimed(tmp_path: Path) -> None:
    made = new_volume(claim(), tmp_path / UID, "Delete")
    assert provisioned_directory(made, tmp_path) == tmp_path / UID


@pytest.mark.parametrize("uid", ["", "..", ".", "/etc", "../../etc", UID.upper()])
def test_no_other_path_is_ever_removed(tmp_path: Path, uid: str) -> None:
    made = new_volume(claim(), tmp_path / UID, "Delete")
    made["spec"]["claimRef"]["uid"] = uid
    made["metadata"]["name"] = f"pvc-{uid}"
    assert provisioned_directory(made, tmp_path) is None

from __future__ import annotations

import shutil
from pathlib import Path

from lateen.cluster.layout import Layout
from lateen.cluster.lifecycle.reservations import holder, release, reserve
from lateen.cluster.spec import Spec, save_spec


def cluster(root: Path, index: int) -> Layout:
    root.mkdir(parents=True, exist_ok=True)
    save_spec(root, Spec(root.name, index))
    return Layout(root.name, index, root)


def test_an_index_is_held_until_it_is_released(tmp_path: Path) -> None:
    reservations = tmp_path / "run" / "clusters"
    east, west = cluster(tmp_path / "a" / "east", 3), cluster(tmp_path / "b" / "west", 3)
    assert holder(3, reservations) is None
    reserve(east, reservations)
    reserve(east, reservations)
    assert holder(3, reservations) == east.root
    release(west, reservations)
    assert holder(3, reservations) == east.root
    release(east, reservations)
    assert holder(3, reservations) is None
    assert not reservations.parent.exists()
    release(east, reservations)


def test_a_cluster_that_is_gone_or_has_another_index_holds_nothing(tmp_path: Path) -> None:
    reservations = tmp_path / "clusters"
    east = cluster(tmp_path / "east", 3)
    reserve(east, reservations)
    cluster(east.root, 4)
    assert holder(3, reservations) is None
    cluster(east.root, 3)
    assert holder(3, reservations) == east.root
    shutil.rmtree(east.root)
    assert holder(3, reservations) is None
    west = cluster(tmp_path / "west", 3)
    reserve(west, reservations)
    assert holder(3, reservations) == west.root

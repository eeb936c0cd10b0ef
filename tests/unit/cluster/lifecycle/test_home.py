from __future__ import annotations

from pathlib import Path

import pytest

from lateen.cluster.layout import Layout
from lateen.cluster.lifecycle.home import ClusterError, Home
from lateen.cluster.spec import Spec


def claim(home: Home, name: str, taken: frozenset[int] = frozenset()) -> Layout:
    def is_free(layout: Layout) -> bool:
        return layout.index not in taken

    with home.lock():
        return home.claim(lambda index: Spec(name, index), name, is_free)


def test_clusters_get_the_lowest_free_index(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert [claim(home, n).index for n in ("a", "b")] == [0, 1]
    assert claim(home, "c", taken=frozenset({2, 3})).index == 4
    assert home.names() == ["a", "b", "c"]
    assert home.layout("c").index == 4


def test_an_unknown_cluster_is_named_with_those_that_exist(tmp_path: Path) -> None:
    home = Home(tmp_path)
    claim(home, "east")
    with pytest.raises(ClusterError, match=r"no cluster 'west' \(clusters here: east\).*up --name west"):
        home.spec("west")


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a_b", "a" * 21, "../x", "1a"])
def test_names_that_cannot_name_a_namespace_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ClusterError, match="expected at most 20"):
        Home(tmp_path).root(name)


def test_a_broken_spec_is_located(tmp_path: Path) -> None:
    home = Home(tmp_path)
    layout = claim(home, "east")
    layout.spec_file.write_text('{"name": "east", "index": "two"}')
    with pytest.raises(ClusterError, match=r"cluster\.json: .*index"):
        home.spec("east")


def test_running_out_of_ranges_says_so(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="take a cluster down"):
        claim(Home(tmp_path), "a", taken=frozenset(range(64)))

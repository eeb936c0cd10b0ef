from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lateen.cluster.lifecycle.home import ClusterError
from lateen.cluster.lifecycle.kubeconfig import add_context, remove_context

ADMIN = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:6443"}}],
    "users": [{"name": "admin", "user": {"client-key-data": "a2V5"}}],
    "contexts": [{"name": "x", "context": {"cluster": "x", "user": "admin"}}],
    "current-context": "x",
}


@pytest.fixture
def admin(tmp_path: Path) -> Path:
    path = tmp_path / "admin.conf"
    path.write_text(yaml.safe_dump(ADMIN))
    return path


def test_a_context_is_added_and_made_current(tmp_path: Path, admin: Path) -> None:
    path = tmp_path / "kube" / "config"
    add_context(path, admin, "east")
    config = yaml.safe_load(path.read_text())
    assert config["current-context"] == "lateen-east"
    assert config["clusters"] == [{"name": "lateen-east", "cluster": {"server": "https://127.0.0.1:6443"}}]
    assert config["contexts"][0]["context"] == {"cluster": "lateen-east", "user": "lateen-east"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_adding_twice_replaces_and_keeps_what_others_wrote(tmp_path: Path, admin: Path) -> None:
    path = tmp_path / "config"
    theirs = {"apiVersion": "v1", "kind": "Config", "users": [{"name": "me", "user": {"token": "t"}}], "extra": 1}
    path.write_text(yaml.safe_dump(theirs))
    add_context(path, admin, "east")
    add_context(path, admin, "east")
    config = yaml.safe_load(path.read_text())
    assert [u["name"] for u in config["users"]] == ["me", "lateen-east"]
    assert config["extra"] == 1


def test_removal_restores_the_file_or_its_absence(tmp_path: Path, admin: Path) -> None:
    path = tmp_path / "kube" / "config"
    add_context(path, admin, "east")
    add_context(path, admin, "west")
    remove_context(path, "west")
    config = yaml.safe_load(path.read_text())
    assert config["current-context"] == ""
    assert [c["name"] for c in config["contexts"]] == ["lateen-east"]
    remove_context(path, "east")
    assert not path.exists()
    remove_context(path, "east")


def test_a_file_that_is_no_kubeconfig_is_refused_and_left_alone(tmp_path: Path, admin: Path) -> None:
    path = tmp_path / "config"
    path.write_text("- a\n- b\n")
    with pytest.raises(ClusterError, match="not a kubeconfig"):
        add_context(path, admin, "east")
    assert path.read_text() == "- a\n- b\n"


def test_a_symlinked_kubeconfig_stays_a_symlink(tmp_path: Path, admin: Path) -> None:
    target = tmp_path / "real"
    target.write_text("")
    link = tmp_path / "config"
    link.symlink_to(target)
    add_context(link, admin, "east")
    assert link.is_symlink()
    assert "lateen-east" in target.read_text()

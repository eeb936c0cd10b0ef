"""Under sudo the caller's kubeconfig is written with the caller's rights."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lateen.cluster.lifecycle.kubeconfig import Owner, add_context, remove_context

pytestmark = pytest.mark.cluster

NOBODY = pwd.getpwnam("nobody")
OWNER = Owner(NOBODY.pw_uid, NOBODY.pw_gid)
ADMIN = {"clusters": [{"cluster": {"server": "https://127.0.0.1:6443"}}], "users": [{"user": {"token": "t"}}]}


@pytest.fixture
def admin(tmp_path: Path) -> Path:
    path = tmp_path / "admin.conf"
    path.write_text(yaml.safe_dump(ADMIN))
    path.chmod(0o600)
    return path


@pytest.fixture
def users_home() -> Iterator[Path]:
    """A directory that the caller can reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="lateen-test-") as directory:
        Path(directory).chmod(0o711)
        home = Path(directory) / "home"
        home.mkdir()
        yield home


def test_what_root_makes_for_the_caller_is_the_callers(users_home: Path, admin: Path) -> None:
    os.chown(users_home, OWNER.uid, OWNER.gid)
    path = users_home / ".kube" / "config"
    add_context(path, admin, "east", OWNER)
    for made in (path, path.parent):
        assert (made.stat().st_uid, made.stat().st_gid) == (OWNER.uid, OWNER.gid)
    assert path.stat().st_mode & 0o777 == 0o600
    remove_context(path, "east", OWNER)
    assert not path.exists()


def test_root_writes_nothing_that_the_caller_could_not(users_home: Path, admin: Path) -> None:
    secret = users_home.parent / "shadow"
    secret.write_text("")
    secret.chmod(0o600)
    path = users_home / "config"
    path.symlink_to(secret)
    with pytest.raises(PermissionError):
        add_context(path, admin, "east", OWNER)
    assert secret.read_text() == ""

from __future__ import annotations

import pwd
from pathlib import Path

from lateen.settings import read_settings

NOBODY = pwd.getpwnam("nobody")


def test_defaults_follow_the_users_home() -> None:
    found = read_settings({"HOME": "/home/jane"})
    assert found.home == Path("/home/jane/.lateen")
    assert found.kubeconfig == Path("/home/jane/.kube/config")
    assert found.caller is None
    assert found.colour


def test_variables_win() -> None:
    found = read_settings({"HOME": "/h", "LATEEN_HOME": "/l", "KUBECONFIG": "/a:/b", "NO_COLOR": "1"})
    assert (found.home, found.kubeconfig, found.colour) == (Path("/l"), Path("/a"), False)


def test_under_sudo_the_kubeconfig_is_the_callers() -> None:
    environment = {"HOME": "/root", "SUDO_UID": str(NOBODY.pw_uid), "SUDO_GID": str(NOBODY.pw_gid)}
    found = read_settings(environment)
    assert found.caller is not None
    assert (found.caller.uid, found.caller.gid) == (NOBODY.pw_uid, NOBODY.pw_gid)
    assert found.kubeconfig == Path(NOBODY.pw_dir) / ".kube" / "config"
    assert found.home == Path("/root/.lateen")


def test_root_called_by_root_or_by_nobody_known_is_on_its_own() -> None:
    for uid in ("0", "", "x", "4000000000"):
        assert read_settings({"HOME": "/root", "SUDO_UID": uid, "SUDO_GID": "0"}).caller is None

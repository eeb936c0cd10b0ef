"""Every setting that is read from the environment, with its default and meaning. Nothing else reads it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Caller:
    """The user who called sudo."""

    uid: int
    gid: int
    home: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Read once by a composition root and passed down as values."""

    home: Path
    """`LATEEN_HOME`: where the clusters of this machine keep their state. Default: `~/.lateen`."""
    kubeconfig: Path
    """`KUBECONFIG`, its first entry: where `lateen cluster` writes contexts. Default: `~/.kube/config`, under sudo
    that of the user who called it, whose kubectl is to find it."""
    caller: Caller | None
    """`SUDO_UID` and `SUDO_GID`: on whose behalf root acts; None when on nobody's."""
    colour: bool
    """Colour on terminals, unless `NO_COLOR` is set."""


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment (the process's own by default)."""
    env = os.environ if environment is None else environment
    user = Path(env["HOME"]) if env.get("HOME") else Path("/root")
    caller = _caller(env)
    first = env.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Settings(
        home=Path(env.get("LATEEN_HOME") or user / ".lateen").absolute(),
        kubeconfig=Path(first).absolute() if first else (caller.home if caller else user) / ".kube" / "config",
        caller=caller,
        colour=not env.get("NO_COLOR"),
    )


def _caller(env: Mapping[str, str]) -> Caller | None:
    uid, gid = env.get("SUDO_UID", ""), env.get("SUDO_GID", "")
    if not (uid.isdecimal() and gid.isdecimal()) or int(uid) == 0:
        return None
    try:
        return Caller(int(uid), int(gid), Path(pwd.getpwuid(int(uid)).pw_dir))
    except KeyError:
        return None

"""Every setting that is read from the environment, with its default and meaning. Nothing else reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Read once by a composition root and passed down as values."""

    home: Path
    """`LATEEN_HOME`: where the clusters of this machine keep their state. Default: `~/.lateen`."""
    kubeconfig: Path
    """`KUBECONFIG`, its first entry: where `lateen cluster` writes contexts. Default: `~/.kube/config`."""
    colour: bool
    """Colour on terminals, unless `NO_COLOR` is set."""


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment (the process's own by default)."""
    env = os.environ if environment is None else environment
    user = Path(env["HOME"]) if env.get("HOME") else Path("/root")
    first = env.get("KUBECONFIG", "").split(os.pathsep)[0]
    return Settings(
        home=Path(env.get("LATEEN_HOME") or user / ".lateen").absolute(),
        kubeconfig=Path(first).absolute() if first else user / ".kube" / "config",
        colour=not env.get("NO_COLOR"),
    )

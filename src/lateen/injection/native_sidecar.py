"""Whether proxies are native sidecars: init containers that keep running, since Kubernetes 1.29."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

Version = tuple[int, int]
"""Major and minor."""

OLDEST: Final[Version] = (1, 29)
_SETTING: Final = "ENABLE_NATIVE_SIDECARS"


def runs_native(asked: bool | None, environment: Mapping[str, str], version: Version | None) -> bool:
    """The pod's annotation, else the control plane's setting, else by the cluster's version."""
    if asked is not None:
        return asked
    setting = environment.get(_SETTING, "auto").lower()
    if setting in ("true", "false"):
        return setting == "true"
    return version is None or version >= OLDEST


def parse_version(major: str, minor: str) -> Version | None:
    """As `/version` has them: the minor may end in `+`. None for what is no number."""
    found = re.match(r"\d+", major), re.match(r"\d+", minor)
    return (int(found[0][0]), int(found[1][0])) if found[0] and found[1] else None

"""The profiles that ship, as IstioOperator files; each is a change of `default`."""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

import yaml

PROFILES: Final = ("ambient", "default", "demo", "empty", "minimal", "openshift", "preview", "remote", "stable")
BASE: Final = "default"


def profile(name: str) -> dict[str, Any]:
    """The `spec` of a profile. Raises KeyError for a name that is none."""
    if name not in PROFILES:
        raise KeyError(name)
    found: dict[str, Any] = yaml.safe_load(resources.files(__name__).joinpath(f"{name}.yaml").read_text())
    return found["spec"] or {}

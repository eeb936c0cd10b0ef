"""Which versions of the control plane are in a cluster, and whether one may follow another in place."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from lateen.install.cluster.places import DEPLOYMENT
from lateen.install.cluster.requests import ClusterApi, listed
from lateen.install.names import COMPONENT, PILOT, REVISION, VERSION


class ControlPlane(msgspec.Struct, frozen=True):
    """One that is installed."""

    namespace: str
    revision: str
    version: str
    """Empty when it does not say."""


async def control_planes(api: ClusterApi) -> list[ControlPlane]:
    """Raises InstallError."""
    return [_control_plane(each) for each in await listed(api, DEPLOYMENT, f"{COMPONENT}={PILOT}")]


def _control_plane(found: dict[str, Any]) -> ControlPlane:
    metadata = found["metadata"]
    labels = metadata.get("labels") or {}
    return ControlPlane(metadata["namespace"], labels.get(REVISION, "default"), labels.get(VERSION, ""))


def refusal(old: str, new: str) -> str:
    """Why a version may not follow another one; empty if it may. Both as `1.2.3`."""
    before, after = _numbers(old), _numbers(new)
    if before is None or after is None:
        return ""
    if after < before:
        return f"{new} is older than {old}, which is installed: that is no upgrade"
    if after[0] != before[0]:
        return f"from {old} to {new} is a step over a major version: install it as a revision beside the old one"
    return ""


def _numbers(version: str) -> tuple[int, int, int] | None:
    found = re.match(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})", version)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None

"""`version`: of this program, of the control planes and of the proxies connected to them."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from lateen.inspection.printable import printable


class Versions(NamedTuple):
    client: str
    control_planes: tuple[tuple[str, str], ...] = ()
    """Name and version."""
    proxies: tuple[tuple[str, str], ...] = ()
    """`NAME.NAMESPACE` and version."""


def short(versions: Versions, *, remote: bool) -> str:
    """Three lines at most, as istioctl prints them."""
    lines = [f"client version: {versions.client}"]
    if remote and versions.control_planes:
        distinct = {version for _, version in versions.control_planes}
        if len(distinct) == 1:
            lines.append(f"control plane version: {distinct.pop()}")
        else:
            lines += [f"{name} version: {version}" for name, version in versions.control_planes]
        counts = Counter(printable(version) for _, version in versions.proxies)
        each = ", ".join(f"{version} ({count} proxies)" for version, count in sorted(counts.items()))
        lines.append(f"data plane version: {each or 'none'}")
    return "\n".join([*lines, ""])


def long(versions: Versions, *, remote: bool) -> str:
    """Every control plane and every proxy by name."""
    lines = [f"client version: {versions.client}"]
    if remote:
        lines += [f"control plane {name}: {version}" for name, version in versions.control_planes]
        lines += [f"proxy {printable(name)}: {printable(version)}" for name, version in versions.proxies]
    return "\n".join([*lines, ""])


def data(versions: Versions, *, remote: bool) -> dict[str, Any]:
    """Under istioctl's names."""
    found: dict[str, Any] = {"clientVersion": {"version": versions.client}}
    if remote and versions.control_planes:
        found["meshVersion"] = [
            {"Component": "pilot", "Instance": name, "Info": {"version": version}}
            for name, version in versions.control_planes
        ]
        found["dataPlaneVersion"] = [{"ID": name, "IstioVersion": version} for name, version in versions.proxies]
    return found

"""`proxy-config bootstrap`."""

from __future__ import annotations

from typing import Any

from lateen.inspection.printable import printable


def summary(bootstrap: dict[str, Any]) -> str:
    """The versions of what runs there."""
    node = bootstrap.get("node") or {}
    metadata = node.get("metadata") or {}
    build = node.get("user_agent_build_version") or {}
    version = build.get("version") or {}
    number = ".".join(str(version.get(part, 0)) for part in ("major_number", "minor_number", "patch"))
    lines = [f"Istio Version:       {metadata.get('ISTIO_VERSION', '(unknown)')}"]
    if metadata.get("ISTIO_PROXY_SHA"):
        lines.append(f"Istio Proxy Version: {str(metadata['ISTIO_PROXY_SHA']).partition(':')[2]}")
    lines.append(f"Envoy Version:       {number}")
    return "\n".join([*map(printable, lines), ""])

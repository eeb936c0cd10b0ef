"""Which of the mesh's resources something was made from, as its metadata says."""

from __future__ import annotations

from typing import Any


def origin(resource: dict[str, Any]) -> str:
    """`NAME.NAMESPACE`, or nothing."""
    istio = (resource.get("metadata") or {}).get("filter_metadata", {}).get("istio", {})
    parts = str(istio.get("config", "")).split("/")
    # /apis/GROUP/VERSION/namespaces/NAMESPACE/KIND/NAME
    return f"{parts[7]}.{parts[5]}" if len(parts) == 8 and parts[1] == "apis" else ""

"""What Envoy's environment tells of its own workload, for the labels of metrics (docs/telemetry.md). Pure.

In the environment rather than in listeners, so that all proxies of a namespace can be sent the same listeners.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lateen.agent.node import canonical_name

__all__ = ["peer_variables"]

_PREFIX: Final = "LATEEN_PEER_"
_UNKNOWN: Final = "unknown"
_CANONICAL_REVISION: Final = ("service.istio.io/canonical-revision", "app.kubernetes.io/version", "version")


def peer_variables(workload: str, namespace: str, cluster: str, labels: Mapping[str, str]) -> dict[str, str]:
    """The variables, all of them: Envoy would write `-` for one that is not there."""
    found = {
        "WORKLOAD": workload,
        "NAMESPACE": namespace,
        "APP": labels.get("app", ""),
        "VERSION": labels.get("version", ""),
        "CLUSTER": cluster,
        "SERVICE": canonical_name(labels, workload),
        "REVISION": next((labels[name] for name in _CANONICAL_REVISION if labels.get(name)), "latest"),
    }
    return {f"{_PREFIX}{name}": value or _UNKNOWN for name, value in found.items()}

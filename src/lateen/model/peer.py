"""The facts by which telemetry names the workload at either end of a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lateen.model.workload_names import canonical_name, canonical_revision

PEER: Final = "peer"
"""Names facts about the other end: of endpoints in `filter_metadata`, of clients in filter states (`peer.workload`)."""
FACTS: Final = ("workload", "namespace", "app", "version", "cluster", "service", "revision")
"""`service` and `revision` are the canonical ones."""
FALLBACKS: Final[Mapping[str, str]] = {"revision": "latest"}
"""What stands for a fact that is not known, where that is not `unknown`."""


def own_variable(fact: str) -> str:
    """The variable of an Envoy's environment that tells a fact about its own workload; its agent sets it."""
    return f"LATEEN_PEER_{fact.upper()}"


def peer_facts(workload: str, namespace: str, cluster: str, labels: Mapping[str, str]) -> dict[str, str]:
    """The facts about a workload; those that are not known are left out."""
    found = {
        "workload": workload,
        "namespace": namespace,
        "app": labels.get("app", ""),
        "version": labels.get("version", ""),
        "cluster": cluster,
        "service": canonical_name(labels, workload),
        "revision": canonical_revision(labels),
    }
    return {fact: value for fact, value in found.items() if value}

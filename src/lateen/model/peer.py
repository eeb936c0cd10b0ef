"""The facts by which telemetry names the workload at either end of a connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lateen.model.workload_names import canonical_name, canonical_revision

PEER: Final = "peer"
"""Names facts about the other end: of endpoints in `filter_metadata` (under `METADATA_KEYS`), of clients in filter
states (`peer.workload`)."""
FACTS: Final = ("workload", "namespace", "app", "version", "cluster", "service", "revision")
"""`service` and `revision` are the canonical ones."""
METADATA_KEYS: Final[Mapping[str, str]] = {fact: fact[0] for fact in FACTS}
"""What endpoints' metadata calls each fact: there are tens of thousands of endpoints."""
DERIVED: Final[Mapping[str, tuple[str, ...]]] = {"service": ("app", "workload"), "revision": ("version",)}
"""A fact that is the same as the first of these that is known is left out of endpoints' metadata."""
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


def endpoint_metadata(facts: Mapping[str, str]) -> dict[str, str]:
    """What an endpoint's metadata says of `peer_facts`: as little as they can be told from."""
    return {METADATA_KEYS[fact]: value for fact, value in facts.items() if value != _derived(fact, facts)}


def _derived(fact: str, facts: Mapping[str, str]) -> str:
    found = next((facts[each] for each in DERIVED.get(fact, ()) if each in facts), "")
    return found or FALLBACKS.get(fact, "")

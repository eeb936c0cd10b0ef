"""Whether what was applied is ready, and what is in the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lateen.api.kubernetes.requests import KubernetesApi
from lateen.install.cluster.places import DEPLOYMENT, INJECTION, path_of, place_of
from lateen.install.cluster.requests import read


async def waiting_for(api: KubernetesApi, applied: Mapping[str, Any]) -> str:
    """In a few words; empty when the object is ready. Raises InstallError."""
    if place_of(applied) == DEPLOYMENT:
        return rollout(await read(api, path_of(applied)))
    if place_of(applied) == INJECTION:
        return bundles(await read(api, path_of(applied)))
    return ""


def rollout(found: Mapping[str, Any] | None) -> str:
    """As `kubectl rollout status` judges a Deployment."""
    if found is None:
        return "is gone"
    status = found.get("status") or {}
    if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
        return "not seen by its controller yet"
    wanted = found["spec"].get("replicas", 1)
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if updated < wanted:
        return f"{updated} of {wanted} pods are of the new version"
    if status.get("replicas", 0) > updated:
        return f"{status['replicas'] - updated} old pods are still there"
    if available < wanted:
        return f"{available} of {wanted} pods are ready"
    return ""


def bundles(found: Mapping[str, Any] | None) -> str:
    """Injection works once the control plane has written its authority into the webhooks."""
    if found is None:
        return "is gone"
    without = [
        each["name"] for each in found.get("webhooks") or () if not (each.get("clientConfig") or {}).get("caBundle")
    ]
    return f"the control plane has not written its CA bundle yet ({len(without)} webhooks)" if without else ""

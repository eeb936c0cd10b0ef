"""The numbers of a rollout: how many pods there may be, and how many there must be."""

from __future__ import annotations

from collections.abc import Iterable

from lateen.cluster.int_or_percent import resolve
from lateen.cluster.objects import Obj


def replicas_of(obj: Obj) -> int:
    """`spec.replicas`, 1 when it is not there."""
    replicas = obj["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def is_rolling(deployment: Obj) -> bool:
    return str((deployment["spec"].get("strategy") or {}).get("type", "RollingUpdate")) == "RollingUpdate"


def _fence_posts(deployment: Obj) -> tuple[int, int]:
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    replicas = replicas_of(deployment)
    surge = resolve(rolling.get("maxSurge", "25%"), replicas, round_up=True)
    unavailable = resolve(rolling.get("maxUnavailable", "25%"), replicas, round_up=False)
    if surge == 0 and unavailable == 0:
        # Both can round to zero, and then nothing would ever move.
        unavailable = 1
    return surge, unavailable


def max_surge(deployment: Obj) -> int:
    """Pods beyond `replicas` that a rollout may have."""
    return _fence_posts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Obj) -> int:
    """Pods short of `replicas` that a rollout may have."""
    replicas = replicas_of(deployment)
    if not is_rolling(deployment) or replicas == 0:
        return 0
    return min(_fence_posts(deployment)[1], replicas)


def available_of(replica_set: Obj) -> int:
    return int((replica_set.get("status") or {}).get("availableReplicas") or 0)


def count(replica_sets: Iterable[Obj]) -> int:
    """The pods that these ReplicaSets ask for."""
    return sum(replicas_of(rs) for rs in replica_sets)


def status_count(replica_sets: Iterable[Obj], field: str) -> int:
    return sum(int((rs.get("status") or {}).get(field) or 0) for rs in replica_sets)

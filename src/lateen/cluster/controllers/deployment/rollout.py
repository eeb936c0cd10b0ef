"""The size each ReplicaSet of a Deployment should have next: rolling update, recreate, proportional scaling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lateen.cluster.controllers.deployment.limits import (
    available_of,
    count,
    is_rolling,
    max_surge,
    max_unavailable,
    replicas_of,
    status_count,
)
from lateen.cluster.controllers.deployment.replica_sets import DESIRED, MAXIMUM, revision_of
from lateen.cluster.controllers.pods import created_at
from lateen.cluster.objects import Obj, annotations_of, name_of


class Resize(NamedTuple):
    """Asks for another number of pods of one ReplicaSet."""

    replica_set: Obj
    replicas: int


def size_of_new(deployment: Obj, present: int, every: Sequence[Obj]) -> int:
    """The size of the new ReplicaSet, which has `present` pods now; `every` holds all ReplicaSets there are."""
    wanted = replicas_of(deployment)
    if not is_rolling(deployment):
        return wanted
    room = wanted + max_surge(deployment) - count(every)
    if room <= 0:
        return present
    return present + min(room, wanted - present)


def rolling_step(deployment: Obj, new: Obj, old: Sequence[Obj]) -> list[Resize]:
    """The next step of a rolling update: grow the new ReplicaSet first, then shrink the old ones."""
    present, wanted = replicas_of(new), replicas_of(deployment)
    target = wanted if present > wanted else size_of_new(deployment, present, [new, *old])
    if target != present:
        return [Resize(new, target)]
    return _shrink_old(deployment, new, old)


def _shrink_old(deployment: Obj, new: Obj, old: Sequence[Obj]) -> list[Resize]:
    if count(old) == 0:
        return []
    minimum = replicas_of(deployment) - max_unavailable(deployment)
    removable = count(old) + replicas_of(new) - minimum - (replicas_of(new) - available_of(new))
    if removable <= 0:
        return []
    sizes = {name_of(rs): replicas_of(rs) for rs in old}
    oldest_first = sorted(old, key=created_at)
    for rs in oldest_first:
        # Pods that do not serve anyway go first: removing them takes nothing away.
        unhealthy = min(removable, sizes[name_of(rs)] - available_of(rs))
        if unhealthy > 0:
            sizes[name_of(rs)] -= unhealthy
            removable -= unhealthy
    spare = status_count([new, *old], "availableReplicas") - minimum
    for rs in oldest_first:
        shrink = min(sizes[name_of(rs)], spare)
        if shrink > 0:
            sizes[name_of(rs)] -= shrink
            spare -= shrink
    return [Resize(rs, sizes[name_of(rs)]) for rs in oldest_first if sizes[name_of(rs)] != replicas_of(rs)]


def recreate_step(old: Sequence[Obj]) -> list[Resize]:
    """The first step of a recreation: all old pods go."""
    return [Resize(rs, 0) for rs in old if replicas_of(rs) > 0]


def was_scaled(deployment: Obj, every: Sequence[Obj]) -> bool:
    """Whether `spec.replicas` changed since the ReplicaSets were last sized."""
    for rs in every:
        desired = annotations_of(rs).get(DESIRED)
        if replicas_of(rs) > 0 and desired is not None and desired != str(replicas_of(deployment)):
            return True
    return False


def proportional_scaling(deployment: Obj, new: Obj | None, old: Sequence[Obj]) -> list[Resize]:
    """Scales all ReplicaSets of a (paused or running) rollout in proportion to their sizes."""
    wanted = replicas_of(deployment)
    every = [*old, *([new] if new is not None else [])]
    active = [rs for rs in every if replicas_of(rs) > 0]
    if len(active) <= 1:
        only = active[0] if active else new or max(old, key=revision_of, default=None)
        if only is None:
            return []
        return [Resize(only, wanted)] if replicas_of(only) != wanted else []
    if new is not None and _is_saturated(deployment, new):
        return [Resize(rs, 0) for rs in old if replicas_of(rs) > 0]
    if not is_rolling(deployment):
        return []
    allowed = wanted + max_surge(deployment) if wanted > 0 else 0
    to_add = allowed - count(active)
    # Growth favours the newest and shrinking the oldest where sizes are equal.
    active.sort(key=created_at, reverse=to_add > 0)
    active.sort(key=replicas_of, reverse=True)
    sizes, added = {}, 0
    for rs in active:
        share = _share(deployment, rs, to_add, added) if to_add else 0
        sizes[name_of(rs)] = replicas_of(rs) + share
        added += share
    first = name_of(active[0])
    sizes[first] = max(0, sizes[first] + to_add - added)
    return [Resize(rs, sizes[name_of(rs)]) for rs in active if sizes[name_of(rs)] != replicas_of(rs)]


def _is_saturated(deployment: Obj, new: Obj) -> bool:
    wanted = replicas_of(deployment)
    desired = annotations_of(new).get(DESIRED)
    return replicas_of(new) == wanted and desired == str(wanted) and available_of(new) == wanted


def _share(deployment: Obj, rs: Obj, to_add: int, added: int) -> int:
    if replicas_of(deployment) == 0:
        fraction = -replicas_of(rs)
    else:
        maximum = replicas_of(deployment) + max_surge(deployment)
        try:
            before = int(annotations_of(rs).get(MAXIMUM, "0"))
        except ValueError:
            before = 0
        before = before or int((deployment.get("status") or {}).get("replicas") or 0) or maximum
        # Half up, in integers: sizes are never negative here.
        fraction = (2 * replicas_of(rs) * maximum + before) // (2 * before) - replicas_of(rs)
    rest = to_add - added
    return min(max(fraction, 0), rest) if to_add > 0 else max(min(fraction, 0), rest)

"""A Deployment's ReplicaSets: which one is new, what they are called, what their annotations remember."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lateen.cluster.controllers.deployment.limits import max_surge, replicas_of
from lateen.cluster.controllers.pods import controller_reference, created_at
from lateen.cluster.controllers.template_hash import canonical, template_hash
from lateen.cluster.objects import Obj, annotations_of, deep_copy, metadata, name_of, namespace_of

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
}


def revision_of(obj: Obj) -> int:
    try:
        return int(annotations_of(obj).get(REVISION, "0"))
    except ValueError:
        return 0


def _comparable(template: Obj) -> Obj:
    meta = template.get("metadata") or {}
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != HASH_LABEL}
    found: Obj = canonical({**template, "metadata": {**meta, "labels": labels}})
    return found


def same_template(one: Obj, other: Obj) -> bool:
    """Whether two pod templates differ in nothing but their hash label."""
    return _comparable(one) == _comparable(other)


def find_new(deployment: Obj, replica_sets: Iterable[Obj]) -> Obj | None:
    """The ReplicaSet of the present template; the oldest one when several have it."""
    template = deployment["spec"]["template"]
    for candidate in sorted(replica_sets, key=lambda rs: (created_at(rs), name_of(rs))):
        if same_template(candidate["spec"]["template"], template):
            return candidate
    return None


def latest_revision(replica_sets: Iterable[Obj]) -> int:
    return max((revision_of(rs) for rs in replica_sets), default=0)


def annotations_for(deployment: Obj, replica_set: Obj | None, revision: int) -> dict[str, str]:
    """The annotations of the new ReplicaSet: the Deployment's own, and the revision with its history."""
    before = dict(annotations_of(replica_set)) if replica_set is not None else {}
    result = before | {k: v for k, v in annotations_of(deployment).items() if k not in _NOT_COPIED}
    old = revision_of(replica_set) if replica_set is not None else 0
    if old < revision:
        result[REVISION] = str(revision)
        if old:
            history = before.get(REVISION_HISTORY, "")
            result[REVISION_HISTORY] = f"{history},{old}" if history else str(old)
    return result


def size_annotations(deployment: Obj) -> dict[str, str]:
    """What proportional scaling must know of the size that the ReplicaSets were last scaled for."""
    replicas = replicas_of(deployment)
    return {DESIRED: str(replicas), MAXIMUM: str(replicas + max_surge(deployment))}


def new_replica_set(deployment: Obj, replicas: int, revision: int) -> Obj:
    """The ReplicaSet of the present template, to be created."""
    template = deep_copy(deployment["spec"]["template"])
    collisions = int((deployment.get("status") or {}).get("collisionCount") or 0)
    hashed = template_hash(_comparable(template), collisions)
    template.setdefault("metadata", {}).setdefault("labels", {})[HASH_LABEL] = hashed
    selector = deep_copy(deployment["spec"]["selector"])
    selector.setdefault("matchLabels", {})[HASH_LABEL] = hashed
    spec: Obj = {"replicas": replicas, "selector": selector, "template": template}
    if deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name_of(deployment)}-{hashed}",
            "namespace": namespace_of(deployment),
            "labels": dict(template["metadata"]["labels"]),
            "annotations": annotations_for(deployment, None, revision) | size_annotations(deployment),
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": spec,
    }


def to_clean_up(deployment: Obj, old: Sequence[Obj]) -> list[Obj]:
    """The old ReplicaSets beyond `revisionHistoryLimit` that have no pods, oldest revision first."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    if limit is None:
        return []
    alive = [rs for rs in old if not metadata(rs).get("deletionTimestamp")]
    surplus = len(alive) - int(limit)
    if surplus <= 0:
        return []
    alive.sort(key=lambda rs: (revision_of(rs), created_at(rs)))
    return [rs for rs in alive[:surplus] if _is_empty(rs)]


def _is_empty(rs: Obj) -> bool:
    status = rs.get("status") or {}
    seen = int(status.get("observedGeneration") or 0) >= int(metadata(rs).get("generation") or 0)
    return replicas_of(rs) == 0 and not status.get("replicas") and seen

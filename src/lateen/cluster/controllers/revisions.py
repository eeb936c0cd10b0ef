"""ControllerRevisions: the history of a DaemonSet's or StatefulSet's template, which `kubectl rollout` reads.

Source: k8s.io/kubernetes `pkg/controller/history`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from lateen.cluster.controllers.controller import Environment
from lateen.cluster.controllers.ownership import claim, claims
from lateen.cluster.controllers.pods import controller_reference, created_at
from lateen.cluster.controllers.resources import REVISIONS
from lateen.cluster.controllers.template_hash import canonical, template_hash
from lateen.cluster.objects import Obj, annotations_of, key_of, labels_of, metadata, name_of, namespace_of
from lateen.cluster.selectors import Selector
from lateen.cluster.status import StatusError

HASH_LABEL = "controller-revision-hash"
_NOT_COPIED = {"kubectl.kubernetes.io/last-applied-configuration", "deprecated.daemonset.template.generation"}


def revision_data(owner: Obj) -> Obj:
    """A strategic merge patch that brings the template of now back."""
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def new_revision(owner: Obj, number: int, collisions: int) -> Obj:
    data = revision_data(owner)
    hashed = template_hash(canonical(data), collisions)
    labels = dict((owner["spec"]["template"].get("metadata") or {}).get("labels") or {})
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{name_of(owner)}-{hashed}",
            "namespace": namespace_of(owner),
            "labels": labels | {HASH_LABEL: hashed},
            "annotations": {k: v for k, v in annotations_of(owner).items() if k not in _NOT_COPIED},
            "ownerReferences": [controller_reference(owner)],
        },
        "data": data,
        "revision": number,
    }


def ordered(revisions: Iterable[Obj]) -> list[Obj]:
    """Oldest first."""
    return sorted(revisions, key=lambda r: (int(r.get("revision") or 0), created_at(r), name_of(r)))


def hash_of(revision: Obj) -> str:
    return labels_of(revision).get(HASH_LABEL) or name_of(revision)


async def current_revision(
    env: Environment, owner: Obj, selector: Selector, candidates: Iterable[Obj]
) -> tuple[Obj, list[Obj]]:
    """The revision of the present template, made or renewed when it must be; and all revisions, oldest first."""
    owned = ordered(await claim(env, REVISIONS, owner, claims(owner, selector, candidates)))
    data = revision_data(owner)
    equal = [r for r in owned if canonical(r.get("data")) == canonical(data)]
    number = max((int(r.get("revision") or 0) for r in owned), default=0)
    if equal:
        present = equal[-1]
        if int(present.get("revision") or 0) < number:
            # A roll-back makes an old revision the newest.
            meta = {"resourceVersion": metadata(present).get("resourceVersion")}
            present = await env.patch(REVISIONS, key_of(present), {"metadata": meta, "revision": number + 1})
            owned = ordered([present, *(r for r in owned if name_of(r) != name_of(present))])
        return present, owned
    collisions = int((owner.get("status") or {}).get("collisionCount") or 0)
    while True:
        wanted = new_revision(owner, number + 1, collisions)
        try:
            made = await env.create(REVISIONS, wanted)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
            taken = await env.client.get(REVISIONS, key_of(wanted))
            if canonical(taken.get("data")) == canonical(data):
                return taken, ordered([*owned, taken])
            collisions += 1
            continue
        return made, [*owned, made]


async def truncate(env: Environment, owner: Obj, revisions: Sequence[Obj], live: Collection[str]) -> None:
    """Deletes the oldest revisions beyond `revisionHistoryLimit`; those whose hash is in `live` do not count."""
    limit = owner["spec"].get("revisionHistoryLimit")
    history = [r for r in revisions if hash_of(r) not in live]
    surplus = len(history) - (10 if limit is None else int(limit))
    for revision in history[: max(0, surplus)]:
        await env.delete(REVISIONS, revision)

"""A StatefulSet's members: names, ordinals, and the pods and claims that belong to an ordinal."""

from __future__ import annotations

import re

from lateen.cluster.controllers import pods
from lateen.cluster.controllers.revisions import HASH_LABEL
from lateen.cluster.objects import Obj, deep_copy, labels_of, name_of, namespace_of

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"


def first_ordinal(owner: Obj) -> int:
    return int((owner["spec"].get("ordinals") or {}).get("start") or 0)


def replicas_of(owner: Obj) -> int:
    replicas = owner["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def ordinal_of(owner: Obj, pod: Obj) -> int | None:
    """The number at the end of the member's name; None when the pod is not named after the owner."""
    found = re.fullmatch(re.escape(name_of(owner)) + r"-(\d+)", name_of(pod))
    return int(found[1]) if found else None


def claim_name(template: Obj, owner: Obj, ordinal: int) -> str:
    return f"{name_of(template)}-{name_of(owner)}-{ordinal}"


def retention(owner: Obj) -> tuple[str, str]:
    """(whenDeleted, whenScaled): `Retain` or `Delete`."""
    policy = owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return policy.get("whenDeleted", "Retain"), policy.get("whenScaled", "Retain")


def new_member(owner: Obj, template: Obj, hashed: str, ordinal: int) -> Obj:
    """The pod of one ordinal, of the template that the revision `hashed` has."""
    pod = pods.from_template(template, owner, name=f"{name_of(owner)}-{ordinal}")
    labels = pod["metadata"].setdefault("labels", {})
    labels |= {POD_NAME: pod["metadata"]["name"], POD_INDEX: str(ordinal), HASH_LABEL: hashed}
    spec = pod["spec"]
    spec["hostname"] = pod["metadata"]["name"]
    if owner["spec"].get("serviceName"):
        spec["subdomain"] = owner["spec"]["serviceName"]
    claimed = {name_of(t): claim_name(t, owner, ordinal) for t in owner["spec"].get("volumeClaimTemplates") or ()}
    if claimed:
        others = [v for v in spec.get("volumes") or () if v.get("name") not in claimed]
        volumes = [{"name": n, "persistentVolumeClaim": {"claimName": c}} for n, c in claimed.items()]
        spec["volumes"] = volumes + others
    return pod


def new_claims(owner: Obj, ordinal: int) -> list[Obj]:
    """The volume claims of one ordinal. They outlive its pod; the owner's too, unless `whenDeleted` says otherwise."""
    found = []
    for template in owner["spec"].get("volumeClaimTemplates") or ():
        claim: Obj = deep_copy({k: v for k, v in template.items() if k != "status"})
        meta = {k: v for k, v in (claim.get("metadata") or {}).items() if k in ("labels", "annotations")}
        meta["labels"] = {**meta.get("labels", {}), **((owner["spec"].get("selector") or {}).get("matchLabels") or {})}
        meta |= {"name": claim_name(template, owner, ordinal), "namespace": namespace_of(owner)}
        if retention(owner)[0] == "Delete":
            reference = pods.controller_reference(owner)
            meta["ownerReferences"] = [{k: reference[k] for k in ("apiVersion", "kind", "name", "uid")}]
        found.append({**claim, "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta})
    return found


def hash_label(pod: Obj) -> str:
    return labels_of(pod).get(HASH_LABEL, "")

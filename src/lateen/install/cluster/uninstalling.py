"""Takes away what was installed: one revision, what a file describes, or everything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from lateen.install.cluster.places import (
    CONFIG_MAP,
    DEFINITION,
    NAMESPACE,
    OWNED,
    Place,
    described,
    path_of,
    place_of,
)
from lateen.install.cluster.removal import remove
from lateen.install.cluster.requests import ClusterApi, good, listed, read, send, together
from lateen.install.names import BASE, COMPONENT, MANAGED, OWNER, OWNER_NAMESPACE, owner
from lateen.install.progress import Progress
from lateen.install.rendering.objects import Rendered
from lateen.install.rendering.rights import ROOT_SECRET

_INJECTED: Final = "sidecar.istio.io/status"
_LEASE: Final = re.compile(r"istio-[a-z-]+-(leader|election)(-.+)?")
_LEASES: Final = Place("coordination.k8s.io/v1", "Lease", "leases")
_SECRETS: Final = Place("v1", "Secret", "secrets")
_OF_KUBERNETES: Final = frozenset(("kube-root-ca.crt", "default"))
_IN_A_NAMESPACE: Final = (
    Place("v1", "Pod", "pods"),
    Place("v1", "Service", "services"),
    CONFIG_MAP,
    _SECRETS,
    Place("v1", "ServiceAccount", "serviceaccounts"),
    Place("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    Place("apps/v1", "Deployment", "deployments"),
    Place("apps/v1", "StatefulSet", "statefulsets"),
    Place("apps/v1", "DaemonSet", "daemonsets"),
    Place("batch/v1", "Job", "jobs"),
    Place("batch/v1", "CronJob", "cronjobs"),
)
_SHOWN: Final = 5


class Removal(msgspec.Struct, frozen=True):
    """What is to be taken away."""

    objects: tuple[dict[str, Any], ...]
    purge: bool = False
    """What the control plane has made goes too: roots, leases, namespaces."""
    injected: tuple[str, ...] = ()
    """Pods, as namespace/name, that have a proxy of what is taken away."""

    managed: tuple[str, ...] = ()
    """Namespaces that installations have made."""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """That what is installed is in, or was."""
        labels = (each["metadata"].get("labels") or {} for each in self.objects)
        names = {each["metadata"].get("namespace", "") for each in self.objects}
        return tuple(sorted({*self.managed, *names, *(label.get(OWNER_NAMESPACE, "") for label in labels)} - {""}))


async def of_revision(api: ClusterApi, revision: str) -> Removal:
    """All of a revision; what revisions share stays."""
    selector = f"{OWNER}={owner(revision)},{COMPONENT}!={BASE}"
    found = await _listed(api, OWNED, selector)
    return Removal(tuple(found), injected=await _injected(api, revision or "default"))


async def of_description(api: ClusterApi, rendered: Iterable[Rendered], revision: str) -> Removal:
    """What an installation describes, as far as it is there; definitions stay."""
    desired = [each.object for each in rendered if each.component != BASE]
    found = await together(read(api, path_of(each)) for each in desired)
    objects = tuple(each for each, live in zip(desired, found, strict=True) if live is not None)
    return Removal(objects, injected=await _injected(api, revision or "default"))


async def of_everything(api: ClusterApi) -> Removal:
    """All revisions, and the definitions with every resource of the mesh."""
    found = await _listed(api, (*OWNED, DEFINITION), OWNER)
    managed = [each["metadata"]["name"] for each in await listed(api, NAMESPACE, f"{MANAGED}=Reconcile")]
    return Removal(tuple(found), purge=True, injected=await _injected(api, ""), managed=tuple(managed))


async def uninstall(api: ClusterApi, removal: Removal, progress: Progress) -> None:
    """Raises InstallError."""
    await remove(api, removal.objects, said=lambda each: progress.note(f"{described(each)}: removed"))
    if removal.purge:
        # Only now is nobody there any more who would make them again.
        left = await left_by_the_control_plane(api, removal)
        await together(_delete(api, each) for each in left)
        for each in left:
            progress.note(f"{described(each)}: removed")
        for name in removal.namespaces:
            await _namespace(api, name, progress)


async def resources_of_users(api: ClusterApi) -> int:
    """How many resources of the mesh go with their definitions."""
    found = await listed(api, DEFINITION, OWNER)
    count = 0
    for each in found:
        spec = each["spec"]
        version = next((v["name"] for v in spec["versions"] if v.get("storage")), "")
        place = Place(f"{spec['group']}/{version}", spec["names"]["kind"], spec["names"]["plural"])
        count += len(await listed(api, place))
    return count


async def _listed(api: ClusterApi, places: Sequence[Place], selector: str) -> list[dict[str, Any]]:
    found = await together(listed(api, place, selector) for place in places)
    return [each for items in found for each in items]


async def _injected(api: ClusterApi, revision: str) -> tuple[str, ...]:
    """Pods with a sidecar of a revision; of any, if empty."""
    found = []
    for pod in await listed(api, Place("v1", "Pod", "pods")):
        metadata = pod["metadata"]
        status = (metadata.get("annotations") or {}).get(_INJECTED, "")
        try:
            told = msgspec.json.decode(status) if status else None
        except msgspec.DecodeError:
            told = {}
        if isinstance(told, dict) and (not revision or (told.get("revision") or "default") == revision):
            found.append(f"{metadata['namespace']}/{metadata['name']}")
    return tuple(found)


async def left_by_the_control_plane(api: ClusterApi, removal: Removal) -> list[dict[str, Any]]:
    """What nobody has installed and a purge removes, too: roots, the authority's Secret, leases.

    Raises InstallError.
    """
    found = [
        each
        for each in await listed(api, CONFIG_MAP, "istio.io/config=true")
        if each["metadata"]["name"] == "istio-ca-root-cert"
    ]
    for namespace in removal.namespaces:
        secret = await read(api, _SECRETS.object_path(namespace, ROOT_SECRET))
        if secret is not None:
            found.append({"apiVersion": "v1", "kind": "Secret", **secret})
        for lease in await _in_namespace(api, _LEASES, namespace):
            if _LEASE.fullmatch(lease["metadata"]["name"]):
                found.append({"apiVersion": _LEASES.api_version, "kind": "Lease", **lease})
    return found


async def _in_namespace(api: ClusterApi, place: Place, namespace: str) -> list[dict[str, Any]]:
    path = f"{place.root}/namespaces/{namespace}/{place.plural}"
    answer = await send(api, "GET", path)
    return [] if answer.status == 404 else list(good(answer, f"listing {place.plural}").get("items") or ())


async def _delete(api: ClusterApi, found: Mapping[str, Any]) -> None:
    place = {"Lease": _LEASES, "Secret": _SECRETS}.get(found["kind"]) or place_of(found)
    path = place.object_path(found["metadata"]["namespace"], found["metadata"]["name"])
    answer = await send(api, "DELETE", path)
    if answer.status != 404:
        good(answer, f"removing {path}")


async def _namespace(api: ClusterApi, name: str, progress: Progress) -> None:
    """Removed if an installation has made it and nothing of others is in it."""
    found = await read(api, NAMESPACE.object_path("", name))
    if found is None or MANAGED not in (found["metadata"].get("labels") or {}):
        return
    kept = []
    for place in _IN_A_NAMESPACE:
        for each in await _in_namespace(api, place, name):
            metadata = each["metadata"]
            if metadata["name"] not in _OF_KUBERNETES and not metadata.get("ownerReferences"):
                kept.append(f"{place.kind} {metadata['name']}")
    if kept:
        more = f" and {len(kept) - _SHOWN} more" if len(kept) > _SHOWN else ""
        progress.note(f"Namespace {name} stays: it has {', '.join(kept[:_SHOWN])}{more}")
        return
    await remove(api, [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
    progress.note(f"Namespace {name}: removed")

"""Volume claims: bound to a volume that fits, or to one made for them in a directory of the cluster.

The storage class `standard` is local: a volume is a directory that every node sees (all nodes are on one machine).
Source: k8s.io/kubernetes `pkg/controller/volume/persistentvolume`.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from lateen.cluster.client.backoff import Backoff
from lateen.cluster.controllers import pods
from lateen.cluster.controllers.controller import Controller, Environment
from lateen.cluster.controllers.resources import CLAIMS, STORAGE_CLASSES, VOLUMES
from lateen.cluster.objects import (
    Key,
    Obj,
    annotations_of,
    key_of,
    labels_of,
    metadata,
    name_of,
    namespace_of,
    uid_of,
)
from lateen.cluster.quantity import parse
from lateen.cluster.selectors import from_label_selector
from lateen.cluster.status import StatusError

CLASS = "standard"
PROVISIONER = "lateen.dev/local"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def storage_class() -> Obj:
    """The class that claims get which name none."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }


def class_of(obj: Obj) -> str | None:
    """The storage class; None for a claim that leaves it to the default."""
    name = (obj.get("spec") or {}).get("storageClassName")
    return None if name is None else str(name)


def _size(quantities: Obj | None) -> int:
    try:
        return parse((quantities or {}).get("storage", "0")).value
    except ValueError:
        return 0


def fits(volume: Obj, claim: Obj) -> bool:
    """Whether the claim can have the volume."""
    spec, wanted = volume.get("spec") or {}, claim.get("spec") or {}
    reserved = spec.get("claimRef")
    if reserved:
        same = (reserved.get("namespace"), reserved.get("name")) == (namespace_of(claim), name_of(claim))
        return same and reserved.get("uid") in (None, "", uid_of(claim))
    if wanted.get("volumeName"):
        return bool(wanted["volumeName"] == name_of(volume))
    return (
        not pods.is_deleting(volume)
        and (class_of(volume) or "") == (class_of(claim) or "")
        and set(wanted.get("accessModes") or ()) <= set(spec.get("accessModes") or ())
        and _size(spec.get("capacity")) >= _size((wanted.get("resources") or {}).get("requests"))
        and (wanted.get("selector") is None or from_label_selector(wanted["selector"]).matches(labels_of(volume)))
    )


def best_volume(volumes: Iterable[Obj], claim: Obj) -> Obj | None:
    """The volume reserved for the claim, or the smallest that fits."""
    fitting = [v for v in volumes if fits(v, claim)]
    return min(
        fitting,
        key=lambda v: (not v["spec"].get("claimRef"), _size(v["spec"].get("capacity")), name_of(v)),
        default=None,
    )


def claim_reference(claim: Obj) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": namespace_of(claim),
        "name": name_of(claim),
        "uid": uid_of(claim),
        "resourceVersion": metadata(claim).get("resourceVersion", ""),
    }


def new_volume(claim: Obj, directory: Path, reclaim_policy: str) -> Obj:
    """A volume of a directory, made for the claim."""
    spec = claim.get("spec") or {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pvc-{uid_of(claim)}", "annotations": {PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "capacity": {"storage": ((spec.get("resources") or {}).get("requests") or {}).get("storage", "1Gi")},
            "accessModes": list(spec.get("accessModes") or ["ReadWriteOnce"]),
            "persistentVolumeReclaimPolicy": reclaim_policy,
            "storageClassName": class_of(claim) or CLASS,
            "volumeMode": spec.get("volumeMode", "Filesystem"),
            "hostPath": {"path": str(directory), "type": "DirectoryOrCreate"},
            "claimRef": claim_reference(claim),
        },
    }


class VolumeController(Controller):
    """Binds claims, provisions and reclaims. Keys without a namespace are volumes (or the class), others claims."""

    name = "persistentvolume-controller"

    def __init__(self, env: Environment, directory: Path) -> None:
        super().__init__(env)
        self._directory = directory
        self.claims = self.follow(CLAIMS, self._claim_changed)
        self.volumes = self.follow(VOLUMES, self._volume_changed)
        self.classes = self.follow(STORAGE_CLASSES, lambda _class: self._retry_pending())

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ensure_class())
            group.create_task(super().run())

    async def _ensure_class(self) -> None:
        backoff = Backoff(0.5, 60.0)
        while True:
            try:
                await self.env.create(STORAGE_CLASSES, storage_class())
                return
            except StatusError as error:
                if error.reason == "AlreadyExists":
                    return
            await asyncio.sleep(backoff.next())

    def _claim_changed(self, claim: Obj) -> None:
        self.enqueue(claim)
        if self.claims.get(key_of(claim)) is None and (claim.get("spec") or {}).get("volumeName"):
            self.queue.add(Key("", claim["spec"]["volumeName"]))

    def _volume_changed(self, volume: Obj) -> None:
        self.enqueue(volume)
        if (volume.get("status") or {}).get("phase") != "Bound":
            self._retry_pending()

    def _retry_pending(self) -> None:
        for claim in self.claims:
            if (claim.get("status") or {}).get("phase") != "Bound":
                self.enqueue(claim)

    async def sync(self, key: Key) -> float | None:
        if not key.namespace:
            volume = self.volumes.get(key)
            if volume is not None:
                await self._sync_volume(volume)
            return None
        claim = self.claims.get(key)
        if claim is not None and not pods.is_deleting(claim):
            await self._sync_claim(claim)
        return None

    async def _sync_claim(self, claim: Obj) -> None:
        if (claim.get("status") or {}).get("phase") in ("Bound", "Lost"):
            return
        if class_of(claim) is None:
            default = next((c for c in self.classes if _is_default(c)), None)
            if default is None:
                return
            claim = await self.env.patch(CLAIMS, key_of(claim), {"spec": {"storageClassName": name_of(default)}})
        volume = best_volume(self.volumes, claim)
        if volume is None:
            volume = await self._provision(claim)
        if volume is not None:
            await self._bind(claim, volume)
        elif not (claim.get("status") or {}).get("phase"):
            await self.env.update_status(CLAIMS, claim, {"phase": "Pending"})

    async def _provision(self, claim: Obj) -> Obj | None:
        found = self.classes.get(Key("", class_of(claim) or ""))
        if found is None or found.get("provisioner") != PROVISIONER or claim["spec"].get("volumeName"):
            self.event(
                claim,
                "Normal",
                "FailedBinding",
                "no persistent volumes available for this claim and no storage class is set",
            )
            return None
        directory = self._directory / uid_of(claim)
        policy = str(found.get("reclaimPolicy") or "Delete")
        await asyncio.to_thread(_make_directory, directory)
        try:
            volume = await self.env.create(VOLUMES, new_volume(claim, directory, policy))
        except StatusError as error:
            if error.reason != "AlreadyExists":
                self.event(claim, "Warning", "ProvisioningFailed", f"Failed to provision volume: {error.message}")
                raise
            return await self.env.client.get(VOLUMES, Key("", f"pvc-{uid_of(claim)}"))
        message = f"Successfully provisioned volume {name_of(volume)} using {PROVISIONER}"
        self.event(claim, "Normal", "ProvisioningSucceeded", message)
        return volume

    async def _bind(self, claim: Obj, volume: Obj) -> None:
        if ((volume["spec"].get("claimRef")) or {}).get("uid") != uid_of(claim):
            meta = {
                "annotations": {BOUND_BY_CONTROLLER: "yes"},
                "resourceVersion": metadata(volume).get("resourceVersion"),
            }
            patch = {"metadata": meta, "spec": {"claimRef": claim_reference(claim)}}
            volume = await self.env.patch(VOLUMES, key_of(volume), patch)
        await self.env.update_status(VOLUMES, volume, {**(volume.get("status") or {}), "phase": "Bound"})
        patch = {
            "metadata": {"annotations": {BIND_COMPLETED: "yes", BOUND_BY_CONTROLLER: "yes"}},
            "spec": {"volumeName": name_of(volume)},
        }
        claim = await self.env.patch(CLAIMS, key_of(claim), patch)
        status = {
            "phase": "Bound",
            "accessModes": volume["spec"].get("accessModes"),
            "capacity": volume["spec"].get("capacity"),
        }
        await self.env.update_status(CLAIMS, claim, status)

    async def _sync_volume(self, volume: Obj) -> None:
        reference = volume["spec"].get("claimRef")
        phase = (volume.get("status") or {}).get("phase")
        if not reference or not reference.get("uid"):
            if phase not in ("Available",) and not pods.is_deleting(volume):
                await self.env.update_status(VOLUMES, volume, {"phase": "Available"})
            return
        claim = self.claims.get(Key(str(reference.get("namespace")), str(reference.get("name"))))
        if claim is not None and uid_of(claim) == reference["uid"]:
            return
        if phase == "Bound":
            volume = await self.env.update_status(VOLUMES, volume, {"phase": "Released"})
        if volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete":
            return
        directory = provisioned_directory(volume, self._directory)
        if directory is not None and await self.env.delete(VOLUMES, volume):
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


def provisioned_directory(volume: Obj, parent: Path) -> Path | None:
    """The directory we made for the volume; None for any other volume, whatever it says of itself."""
    uid = str((volume["spec"].get("claimRef") or {}).get("uid") or "")
    ours = annotations_of(volume).get(PROVISIONED_BY) == PROVISIONER and name_of(volume) == f"pvc-{uid}"
    return parent / uid if ours and _UID.fullmatch(uid) else None


def _make_directory(directory: Path) -> None:
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.mkdir(exist_ok=True)
    # Pods of any user write here; others on the machine do not get past the directory above.
    directory.chmod(0o777)


def _is_default(storage: Obj) -> bool:
    return annotations_of(storage).get("storageclass.kubernetes.io/is-default-class") == "true"

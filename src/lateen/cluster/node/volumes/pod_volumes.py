"""All volumes of one pod: set up before its containers, kept up to date while they run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lateen.cluster import quantity
from lateen.cluster.client.api import Client
from lateen.cluster.node.environment import Sources
from lateen.cluster.node.pod_directory import PodDirectory
from lateen.cluster.node.volumes.content import VolumeError, ownership, volume_files
from lateen.cluster.node.volumes.host_path import host_path
from lateen.cluster.node.volumes.payload import write_payload
from lateen.cluster.node.volumes.tokens import PodTokens
from lateen.cluster.objects import GVR, Key, Obj, namespace_of
from lateen.cluster.status import StatusError

_CLAIMS = GVR("", "v1", "persistentvolumeclaims")
_VOLUMES = GVR("", "v1", "persistentvolumes")
_SETGID_DIRECTORY = 0o2770


@dataclass(frozen=True, slots=True)
class Volume:
    """Where a volume is, and whether it may only be read."""

    path: Path
    read_only: bool


class PodVolumes:
    """The volumes of one pod. `renew_at` says when `refresh` is due even if no source changed."""

    def __init__(self, directory: PodDirectory, client: Client, sources: Sources) -> None:
        self._directory = directory
        self._client = client
        self._sources = sources
        self._tokens = PodTokens(client)

    @property
    def renew_at(self) -> float | None:
        return self._tokens.renew_at

    def tmpfs(self, pod: Obj) -> list[dict[str, Any]]:
        """What the shim must mount for the pod: shared memory, and emptyDirs of medium Memory."""
        found = [{"target": str(self._directory.shm), "options": "mode=1777,size=65536k"}]
        group = ownership(pod).fs_group
        for volume in pod["spec"].get("volumes") or ():
            source = volume.get("emptyDir")
            if source is None or source.get("medium") != "Memory":
                continue
            options = f"mode={_SETGID_DIRECTORY | 0o007:o},gid={group}" if group is not None else "mode=777"
            if source.get("sizeLimit"):
                options += f",size={quantity.parse(source['sizeLimit']).value}"
            found.append({"target": str(self._directory.volume(volume["name"])), "options": options})
        return found

    def create_directories(self, pod: Obj) -> None:
        """Makes every volume's own directory: mount points must exist before the shim does."""
        group = ownership(pod).fs_group
        for volume in pod["spec"].get("volumes") or ():
            path = self._directory.volume(volume["name"])
            if "hostPath" in volume or "persistentVolumeClaim" in volume or path.is_dir():
                continue
            path.mkdir()
            path.chmod(0o777)
            if group is not None:
                os.chown(path, 0, group)
                path.chmod(_SETGID_DIRECTORY | 0o007)

    async def set_up(self, pod: Obj) -> dict[str, Volume]:
        """Every volume by name; contents are brought up to date. Raises VolumeError naming the volume."""
        found = {}
        for volume in pod["spec"].get("volumes") or ():
            try:
                found[volume["name"]] = await self._set_up(pod, volume)
            except (VolumeError, OSError) as error:
                raise VolumeError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from None
        return found

    async def _set_up(self, pod: Obj, volume: Obj) -> Volume:
        path = self._directory.volume(volume["name"])
        if "emptyDir" in volume:
            if (medium := (volume["emptyDir"] or {}).get("medium") or "") not in ("", "Memory"):
                raise VolumeError(f"emptyDirs of medium {medium} are not supported by this node")
            return Volume(path, False)
        if "hostPath" in volume:
            return Volume(host_path(volume["hostPath"]), False)
        if claim := volume.get("persistentVolumeClaim"):
            return Volume(await self._claimed_path(pod, claim), bool(claim.get("readOnly")))
        files = volume_files(pod, volume, self._sources, await self._tokens.of_volume(pod, volume))
        if files is None:
            kind = next((key for key in volume if key != "name"), "none")
            raise VolumeError(f"volumes of type {kind} are not supported by this node")
        write_payload(path, files)
        return Volume(path, True)

    async def _claimed_path(self, pod: Obj, source: Obj) -> Path:
        """A claim's volume must be one of this machine: a PersistentVolume with hostPath or local."""
        name = source["claimName"]
        try:
            claim = await self._client.get(_CLAIMS, Key(namespace_of(pod), name))
            bound = claim["spec"].get("volumeName")
            if not bound or (claim.get("status") or {}).get("phase") != "Bound":
                raise VolumeError(f'PersistentVolumeClaim "{name}" is not bound')
            volume = await self._client.get(_VOLUMES, Key("", bound))
        except StatusError as error:
            raise VolumeError(error.message) from None
        place = volume["spec"].get("hostPath") or volume["spec"].get("local")
        if place is None:
            raise VolumeError(f'PersistentVolume "{bound}" is neither hostPath nor local')
        return host_path(place)

    async def refresh(self, pod: Obj) -> None:
        """Brings contents that come from the API up to date. Raises VolumeError; the rest is refreshed even so."""
        failure: VolumeError | None = None
        for volume in pod["spec"].get("volumes") or ():
            if not {"configMap", "secret", "downwardAPI", "projected"} & volume.keys():
                continue
            try:
                await self._set_up(pod, volume)
            except (VolumeError, OSError) as error:
                failure = VolumeError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}')
        if failure is not None:
            raise failure

"""Which kinds are served at this moment: the built-in ones from the start, those of CRDs as they come and go."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.objects import GVK, GVR

_VERSION = re.compile(r"^v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?$")
_STABILITY = {None: 2, "beta": 1, "alpha": 0}


def version_priority(version: str) -> tuple[int, int, int, str]:
    """A key that sorts versions with `reverse=True` as Kubernetes does: v2, v1, v1beta2, v1beta1, v1alpha1, others."""
    match = _VERSION.match(version)
    if match is None:
        # Names that are no Kubernetes versions come last, in alphabetical order.
        return -1, 0, 0, "".join(chr(0x10FFFF - ord(c)) for c in version + "\0")
    return _STABILITY[match[2]], int(match[1]), int(match[3] or 0), ""


class Registry:
    """Kinds by resource and by kind. `generation` grows with every change."""

    def __init__(self, kinds: Iterable[Kind] = ()) -> None:
        self._by_gvr: dict[GVR, Kind] = {}
        self._by_gvk: dict[GVK, Kind] = {}
        self._changed = asyncio.Event()
        self.generation = 0
        for kind in kinds:
            self.add(kind)

    def add(self, kind: Kind) -> None:
        """Adds a kind, or replaces the one of the same resource."""
        self.remove(kind.resource.gvr)
        self._by_gvr[kind.resource.gvr] = kind
        self._by_gvk[kind.resource.gvk] = kind
        self._bump()

    def remove(self, gvr: GVR) -> None:
        """Takes a kind out of service; does nothing when it is not there."""
        kind = self._by_gvr.pop(gvr, None)
        if kind is None:
            return
        if self._by_gvk.get(kind.resource.gvk) is kind:
            del self._by_gvk[kind.resource.gvk]
        self._bump()

    def get(self, gvr: GVR) -> Kind | None:
        return self._by_gvr.get(gvr)

    def by_gvk(self, gvk: GVK) -> Kind | None:
        return self._by_gvk.get(gvk)

    def kinds(self) -> list[Kind]:
        """Every kind, in the order of their addition."""
        return list(self._by_gvr.values())

    def groups(self) -> dict[str, list[str]]:
        """Groups, the core group first, each with its versions, the preferred one first."""
        found: dict[str, set[str]] = {}
        for gvr in self._by_gvr:
            found.setdefault(gvr.group, set()).add(gvr.version)
        ordered = sorted(found, key=lambda group: group != "")
        return {group: sorted(found[group], key=version_priority, reverse=True) for group in ordered}

    def in_group_version(self, group: str, version: str) -> list[Kind]:
        """The kinds of one group version, by plural name."""
        found = [kind for gvr, kind in self._by_gvr.items() if gvr.group == group and gvr.version == version]
        return sorted(found, key=lambda kind: kind.resource.gvr.plural)

    def stored(self) -> dict[tuple[str, str], Kind]:
        """For each stored collection the kind in its storage version (or in any, when that version is not served)."""
        found: dict[tuple[str, str], Kind] = {}
        for kind in self._by_gvr.values():
            resource = kind.resource
            if resource.gvr.version == resource.storage_version or resource.group_resource not in found:
                found[resource.group_resource] = kind
        return found

    async def changed(self, generation: int) -> int:
        """Waits until the generation differs from `generation`; returns it."""
        while self.generation == generation:
            await self._changed.wait()
        return self.generation

    def _bump(self) -> None:
        self.generation += 1
        self._changed.set()
        self._changed = asyncio.Event()

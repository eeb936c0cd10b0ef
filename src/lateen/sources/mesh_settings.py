"""MeshConfig and MeshNetworks: from files, or from the ConfigMap that Istio has for them. The last good text counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from lateen.api.mesh.parse import parse_mesh_config, parse_mesh_networks
from lateen.api.objects import Key
from lateen.api.schema.fault import Fault, Severity
from lateen.engine import Cell
from lateen.model.inputs import MESH_CONFIG, MESH_NETWORKS
from lateen.model.revision import of_revision
from lateen.sources.outcome import Outcome

MESH_KEY: Final = "mesh"
NETWORKS_KEY: Final = "meshNetworks"
FILES: Final = Key("", "mesh-settings-files")
"""Files of mesh settings count as a ConfigMap by this name, which no real one can have."""

_Parse = Callable[[str], tuple[Any, tuple[Fault, ...]]]
_DOCUMENTS: Final[tuple[tuple[str, Cell[Any], _Parse], ...]] = (
    (MESH_KEY, MESH_CONFIG, parse_mesh_config),
    (NETWORKS_KEY, MESH_NETWORKS, parse_mesh_networks),
)


def config_map_name(revision: str) -> str:
    """As Istio names it."""
    return of_revision("istio", revision)


class MeshSettings:
    """`namespace` is the one that the control plane's ConfigMap is in."""

    def __init__(self, namespace: str, revision: str) -> None:
        self._order = (FILES, Key(namespace, config_map_name(revision)))
        """The first that has a text of a sort is the one that counts."""
        self._texts: dict[Key, dict[str, str]] = {}
        """The last good texts of each."""
        self._effective: dict[str, str] = {}

    def concern(self, key: Key) -> bool:
        """Whether a ConfigMap of this key is one of ours."""
        return key in self._order

    def take(self, key: Key, outcome: Outcome) -> Outcome:
        """A newer version of a ConfigMap of ours, judged by its texts too."""
        if outcome.value is None:
            if not outcome.rejected:
                self._texts.pop(key, None)
            return outcome
        held, data = self._texts.get(key, {}), outcome.value.data
        good: dict[str, str] = {}
        faults: list[Fault] = []
        for name, _, parse in _DOCUMENTS:
            text = data.get(name)
            if text is None:
                continue
            value, found = parse(text)
            faults += (_placed(fault, name) for fault in found)
            if value is not None:
                good[name] = text
            elif name in held:
                good[name] = held[name]
        self._texts[key] = good
        if any(fault.severity is Severity.ERROR for fault in faults):
            return Outcome(rejected=tuple(faults), generation=outcome.value.metadata.generation)
        return Outcome(outcome.value, warnings=(*outcome.warnings, *faults))

    def changes(self) -> Iterator[tuple[Cell[Any], Any]]:
        """What the texts that count now say, as far as that is not what was told before."""
        for name, cell, parse in _DOCUMENTS:
            text = next(self._having(name), "")
            if text != self._effective.get(name):
                self._effective[name] = text
                yield cell, parse(text)[0]

    def _having(self, name: str) -> Iterator[str]:
        return (self._texts[key][name] for key in self._order if name in self._texts.get(key, ()))


def _placed(fault: Fault, name: str) -> Fault:
    return msgspec.structs.replace(fault, path=f"data.{name}.{fault.path}" if fault.path else f"data.{name}")

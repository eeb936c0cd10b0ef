"""A kind as the Kubernetes source reads it."""

from __future__ import annotations

import msgspec

from lateen.sources.source import KindName


class WatchedKind(msgspec.Struct, frozen=True):
    name: KindName
    plural: str
    versions: tuple[str, ...]
    """That we can read, the best first."""
    field_selector: str = ""
    """Leaves out objects that the mesh has no use for, at the server."""
    namespace: str = ""
    """The only one that is read; empty for all."""

    @property
    def definition(self) -> str:
        """The name of its CustomResourceDefinition, if it is defined by one."""
        return f"{self.plural}.{self.name.group}"

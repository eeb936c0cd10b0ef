"""What a source of objects is, and what it tells: the one interface between the outside world and the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from lateen.api.objects import Key


class KindName(NamedTuple):
    """Names a kind whatever its version."""

    group: str
    """Empty for Kubernetes' core group."""
    kind: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


class Change(msgspec.Struct, frozen=True):
    """An object as a source has it now."""

    kind: KindName
    key: Key
    raw: Mapping[str, Any] | None
    """The object as decoded JSON, with `apiVersion` and `kind`; None when it is gone."""
    origin: str = ""
    """Where a person finds it (`routes.yaml:12`); empty when its key says it all."""
    refused: str = ""
    """Why the source itself does not take this version; `raw` then has no more than its head."""


class Sink(Protocol):
    """What a source writes into. Every source has its own; what one holds another cannot remove."""

    async def apply(self, changes: Sequence[Change]) -> None:
        """Takes changes, in order, as one revision. Never raises for what objects contain."""

    async def synced(self, kind: KindName, keys: Collection[Key] | None) -> None:
        """The source holds exactly these objects of a kind: what it held beyond them is gone.

        None when the kind cannot be read (forbidden): what is held stays, and nobody waits for it.
        """

    def report(self, part: str, problem: str) -> None:
        """What is wrong with a part of the source (a kind, a file), for its operator; empty when all is well."""


class Source(Protocol):
    """A reader of some part of the outside world."""

    @property
    def name(self) -> str:
        """Distinct among the sources of a process, for messages."""

    @property
    def kinds(self) -> Collection[KindName]:
        """Of which it gives objects. It is ready when it has told `synced` of each."""

    async def run(self, sink: Sink) -> None:
        """Follows the outside world until cancelled."""

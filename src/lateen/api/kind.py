"""What a kind is: its names in Kubernetes' API, its type, and what judges its objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from lateen.api.objects import Object
from lateen.api.schema.decode import Decoder
from lateen.api.schema.fault import Fault
from lateen.api.schema.message import Message
from lateen.api.type.status import Status

Validate = Callable[[Object[Any]], Iterator[Fault]]


class Column(msgspec.Struct, frozen=True):
    """A column that `kubectl get` prints."""

    name: str
    json_path: str
    description: str
    type: str = "string"


@dataclass(frozen=True, eq=False, kw_only=True)
class Kind:
    """A kind of objects that the mesh reads."""

    group: str
    """Empty for Kubernetes' core group."""
    kind: str
    plural: str
    versions: tuple[str, ...]
    """Those that are read, the best first."""
    spec: type[Message] | None = None
    """Of the mesh's own kinds: the type of `spec`; values are `Object[spec]`."""
    value: type[msgspec.Struct] | None = None
    """Of Kubernetes' kinds: the type of the whole object."""
    namespaced: bool = True
    validate: Validate | None = None
    """Judges what types and constraints cannot say."""
    stored_version: str = ""
    """The version the mesh's own kinds are stored as; the first if empty."""
    short_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    """Beside name and age."""
    status: type[Message] = Status
    """Of the mesh's own kinds: the type of `status`, which the mesh writes."""
    conditions: frozenset[str] = frozenset()
    """Of the mesh's own kinds: the conditions of `status` that others write and the mesh goes by."""
    description: str = ""
    """One line about what it is for."""

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def is_mesh(self) -> bool:
        """One of the mesh's own kinds, with a spec and a CRD."""
        return self.spec is not None

    @property
    def categories(self) -> tuple[str, ...]:
        """What `kubectl get` lists together."""
        return ("istio-io", f"{self.group.partition('.')[0]}-istio-io") if self.is_mesh else ()

    @property
    def storage(self) -> str:
        return self.stored_version or self.versions[0]

    @property
    def api_versions(self) -> tuple[str, ...]:
        """As objects carry them, the best first."""
        return tuple(f"{self.group}/{version}" if self.group else version for version in self.versions)

    @property
    def needs_spec(self) -> bool:
        """An object without a spec is not valid."""
        return self.spec_decoder.decode({})[0] is None

    @cached_property
    def spec_decoder(self) -> Decoder[Message]:
        """Of the mesh's own kinds. Compiled when first used."""
        assert self.spec is not None, f"{self.kind} has no spec of ours"
        return Decoder(self.spec)

    @cached_property
    def value_decoder(self) -> Decoder[msgspec.Struct]:
        """Of Kubernetes' kinds. Compiled when first used."""
        assert self.value is not None, f"{self.kind} is one of the mesh's own kinds"
        return Decoder(self.value)

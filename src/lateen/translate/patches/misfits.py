"""Patches that turned out not to fit what was generated: each is left out alone, and told of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from google.protobuf.message import DecodeError

from lateen.api.objects import ObjectRef
from lateen.api.schema.fault import Fault, warning
from lateen.translate.patches.merge import Misfit
from lateen.translate.patches.patch import Patch


class Misfits:
    """Collects what does not fit while one resource is patched."""

    def __init__(self) -> None:
        self._found: dict[tuple[ObjectRef, Fault], None] = {}

    @contextmanager
    def of(self, patch: Patch) -> Iterator[None]:
        """A patch is applied within: if it does not fit, it is told of and the others go on."""
        try:
            yield
        except (Misfit, DecodeError) as problem:
            ref = patch.outline.ref
            fault = warning(f"spec.configPatches[{ref.place}].patch.value", f"left out: {problem}")
            self._found[ObjectRef("EnvoyFilter", ref.filter), fault] = None

    @property
    def found(self) -> tuple[tuple[ObjectRef, Fault], ...]:
        return tuple(self._found)

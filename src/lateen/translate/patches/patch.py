"""The patches of an EnvoyFilter, ready to be applied."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from lateen.api.networking.envoy_filter import (
    ApplyTo,
    EnvoyConfigObjectMatch,
    EnvoyConfigObjectPatch,
    FilterClass,
    Operation,
    PatchContext,
)
from lateen.api.networking.envoy_filter_validation import patch_value
from lateen.api.objects import Key
from lateen.api.schema.fault import Fault
from lateen.engine import Reader, query
from lateen.model.inputs import ENVOY_FILTERS
from lateen.model.proxy import PatchSet

_ANYWHERE = EnvoyConfigObjectMatch()

_INSERTABLE = (ApplyTo.NETWORK_FILTER, ApplyTo.HTTP_FILTER, ApplyTo.LISTENER_FILTER, ApplyTo.HTTP_ROUTE)
"""What has an order; to everything else, inserting is adding."""


class PatchRef(NamedTuple):
    """Names a patch."""

    filter: Key
    place: int
    """In `configPatches`."""


class Outline(msgspec.Struct, frozen=True):
    """A patch without its value: enough to tell what it may touch."""

    ref: PatchRef
    apply_to: ApplyTo
    operation: Operation
    filter_class: FilterClass
    match: EnvoyConfigObjectMatch
    name: str
    """Of the object in its value, which ADD makes a resource of."""

    def is_for(self, context: PatchContext) -> bool:
        return self.match.context in (context, PatchContext.ANY)


class Patch(msgspec.Struct, frozen=True):
    """A patch with its value."""

    outline: Outline
    value: bytes
    """The serialised message; empty for REMOVE."""


@query
def outlines(db: Reader, filter_: Key) -> tuple[Outline, ...]:
    """The patches of an EnvoyFilter, in order."""
    obj = ENVOY_FILTERS.get(db, filter_)
    if obj is None:
        return ()
    return tuple(
        _outline(PatchRef(filter_, index), patch)
        for index, patch in enumerate(obj.spec.config_patches)
        if patch.patch is not None and patch.apply_to not in (ApplyTo.INVALID, ApplyTo.BOOTSTRAP)
    )


@query
def values(db: Reader, filter_: Key) -> tuple[tuple[bytes | None, tuple[Fault, ...]], ...]:
    """The values of an EnvoyFilter's patches as serialised messages, by index, each with its faults."""
    obj = ENVOY_FILTERS.get(db, filter_)
    if obj is None:
        return ()
    return tuple(
        patch_value(patch, f"spec.configPatches[{index}]") for index, patch in enumerate(obj.spec.config_patches)
    )


def outlined(db: Reader, sets: tuple[PatchSet, ...], context: PatchContext) -> list[Outline]:
    """The patches of some EnvoyFilters that are for a context and can be applied, in order of application."""
    return [
        each
        for filter_, excluded in sets
        for each in outlines(db, filter_)
        if each.ref.place not in excluded and each.is_for(context) and _is_usable(db, each)
    ]


def _is_usable(db: Reader, outline: Outline) -> bool:
    """A patch whose value is wrong is left out alone; validation and findings tell of it."""
    return _usable(db, outline.ref.filter)[outline.ref.place]


@query
def _usable(db: Reader, filter_: Key) -> tuple[bool, ...]:
    obj = ENVOY_FILTERS.get(db, filter_)
    if obj is None:
        return ()
    return tuple(
        value is not None or (each.patch is not None and each.patch.operation is Operation.REMOVE)
        for each, (value, _) in zip(obj.spec.config_patches, values(db, filter_), strict=True)
    )


def patches(db: Reader, refs: tuple[PatchRef, ...]) -> list[Patch]:
    """Patches with their values. Those that have gone since they were listed are left out."""
    found = []
    for ref in refs:
        outline = next((each for each in outlines(db, ref.filter) if each.ref == ref), None)
        if outline is not None and _is_usable(db, outline):
            found.append(Patch(outline, values(db, ref.filter)[ref.place][0] or b""))
    return found


def applying_to(found: list[Patch], kind: ApplyTo) -> list[Patch]:
    """The patches of one kind of thing."""
    return [each for each in found if each.outline.apply_to is kind]


def _outline(ref: PatchRef, patch: EnvoyConfigObjectPatch) -> Outline:
    assert patch.patch is not None
    operation = patch.patch.operation
    if operation.is_insert and patch.apply_to not in _INSERTABLE:
        operation = Operation.ADD
    name = (patch.patch.value or {}).get("name", "")
    return Outline(
        ref=ref,
        apply_to=patch.apply_to,
        operation=operation,
        filter_class=patch.patch.filter_class,
        match=patch.match or _ANYWHERE,
        name=name if isinstance(name, str) else "",
    )

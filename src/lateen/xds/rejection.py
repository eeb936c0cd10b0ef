"""A response that a proxy has rejected, and what in the mesh it came from."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import NamedTuple

import msgspec

from lateen.engine import Engine
from lateen.translate.resource import Recipe, ResourceType

EXPLAINED = 10
"""Rejected resources whose origins are looked up; an explanation costs all that was read."""


SHOWN = 4096
"""Characters of a proxy's words that are kept and logged."""


class Origin(NamedTuple):
    """One input of the engine."""

    table: str
    """Name of a table of `lateen.model.inputs`, which is the plural of the kind."""
    key: Hashable


class Rejection(msgspec.Struct, frozen=True):
    """A NACK. The proxy keeps what it had; it is not sent the same again until something changes."""

    proxy: str
    type: ResourceType
    names: tuple[str, ...]
    """Of the resources to blame: those the message names, or all of the response when it names none of them."""
    message: str
    """In the proxy's words; at most `SHOWN` characters."""
    origins: tuple[Origin, ...] = ()
    """What these resources were made from."""


def blamed(message: str, names: frozenset[str]) -> tuple[str, ...]:
    """Those of the names that a message says, sorted."""
    return tuple(sorted(name for name in names if name in message and _says(message, name)))


def is_of_each(message: str) -> bool:
    """Whether Envoy looked at each resource by itself and took those that it does not complain of.

    So it does with clusters and listeners. When it cannot read one, or of other types, it stops at the first.
    """
    return message.startswith("Error adding/updating ")


def divided(message: str, names: frozenset[str]) -> list[frozenset[str]]:
    """Two parts of more than one name, of which one may be without fault.

    Those that the message names are the last part. That proves nothing: Envoy prints all of what it cannot read, and
    with it all names that are in there.
    """
    named = frozenset(blamed(message, names))
    if named and named != names:
        return [names - named, named]
    ordered = sorted(names)
    middle = len(ordered) // 2
    return [frozenset(ordered[:middle]), frozenset(ordered[middle:])]


def _says(message: str, name: str) -> bool:
    """Whether the name is there by itself, and not as part of a longer one."""
    return re.search(rf"(?<![\w|.-]){re.escape(name)}(?![\w|-])(?!\.\w)", message) is not None


def origins(engine: Engine, recipes: list[Recipe]) -> tuple[Origin, ...]:
    """The input values that resources were made from, each once."""
    found: dict[Origin, None] = {}
    for recipe in recipes[:EXPLAINED]:
        for read, _ in engine.explain(recipe.query, *recipe.args).inputs:
            if read.is_value:
                found[Origin(read.table.name, read.key)] = None
    return tuple(found)

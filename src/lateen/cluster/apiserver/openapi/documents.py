"""The documents themselves: one of v2 for everything, one of v3 per group and version."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec

from lateen.cluster.apiserver.crd.kind import CustomKind
from lateen.cluster.apiserver.kind import Kind
from lateen.cluster.apiserver.openapi import gnostic
from lateen.cluster.apiserver.openapi.definitions import (
    V2,
    V3,
    Dialect,
    builtin_definition,
    closure,
    custom_definitions,
)
from lateen.cluster.apiserver.openapi.paths import PathWriter
from lateen.cluster.apiserver.registry import Registry
from lateen.cluster.apiserver.schema.builtin import BuiltinSchemas
from lateen.cluster.objects import Obj

TITLE: Final = "Kubernetes"

Plan = dict[str, tuple[Kind, ...]]
"""Kinds by the path of the v3 document that they belong to."""


class Document:
    """One document's bytes, with what HTTP wants to know of them."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.hash = hashlib.sha512(content).hexdigest().upper()

    @cached_property
    def compressed(self) -> bytes:
        compressor = zlib.compressobj(level=4, wbits=31)
        return compressor.compress(self.content) + compressor.flush()


@dataclass(slots=True)
class _Kept:
    """A document and the kinds it was made of; it stands as long as those do."""

    kinds: tuple[Kind, ...]
    document: Document


class Documents:
    """Makes documents when they are asked for and keeps them until the registry's kinds change."""

    def __init__(self, registry: Registry, schemas: BuiltinSchemas, version: str) -> None:
        self._registry = registry
        self._schemas = schemas
        self._version = version
        self._names = {gvk: schema.definition for gvk, schema in schemas.kinds().items()}
        self._builtin: dict[int, dict[str, Obj]] = {}
        self._kept: dict[str, _Kept] = {}

    def plan(self) -> Plan:
        """What there is to document now. Cheap; the rest may then be done in another thread."""
        found: Plan = {}
        for group, versions in self._registry.groups().items():
            for version in versions:
                path = f"apis/{group}/{version}" if group else f"api/{version}"
                found[path] = tuple(self._registry.in_group_version(group, version))
        return found

    def group_versions(self, plan: Plan) -> dict[str, Document]:
        """The v3 documents by their path below `/openapi/v3/`: `api/v1`, `apis/apps/v1`, ..."""
        found = {path: self._keep(path, kinds, self._v3) for path, kinds in plan.items()}
        for path in set(self._kept) - set(found) - {"v2", "v2.protobuf"}:
            del self._kept[path]
        return found

    def v2(self, plan: Plan) -> Document:
        return self._keep("v2", _all(plan), lambda kinds: _json(self._v2(kinds)))

    def v2_protobuf(self, plan: Plan) -> Document:
        return self._keep("v2.protobuf", _all(plan), lambda kinds: gnostic.encode(self._v2(kinds)))

    def _keep(self, name: str, kinds: tuple[Kind, ...], make: Callable[[tuple[Kind, ...]], bytes]) -> Document:
        kept = self._kept.get(name)
        # Kinds are told apart by identity: a CRD that changes makes new ones.
        if (
            kept is None
            or len(kept.kinds) != len(kinds)
            or any(a is not b for a, b in zip(kept.kinds, kinds, strict=True))
        ):
            kept = self._kept[name] = _Kept(kinds, Document(make(kinds)))
        return kept.document

    def _v3(self, kinds: tuple[Kind, ...]) -> bytes:
        paths, definitions = self._content(kinds, V3)
        schemas = closure(V3.referenced(paths), definitions, V3)
        return _json({"openapi": "3.0.0", "info": self._info(), "paths": paths, "components": {"schemas": schemas}})

    def _v2(self, kinds: tuple[Kind, ...]) -> Obj:
        paths, definitions = self._content(kinds, V2)
        return {
            "swagger": "2.0",
            "info": self._info(),
            "paths": paths,
            "definitions": closure(V2.referenced(paths), definitions, V2),
        }

    def _info(self) -> Obj:
        return {"title": TITLE, "version": self._version}

    def _content(self, kinds: tuple[Kind, ...], dialect: Dialect) -> tuple[Obj, dict[str, Obj]]:
        writer = PathWriter(dialect, self._names)
        definitions = dict(self._builtin_definitions(dialect))
        paths: Obj = {}
        for kind in kinds:
            paths.update(writer.paths(kind))
            if isinstance(kind, CustomKind):
                definitions.update(custom_definitions(kind, dialect))
        return dict(sorted(paths.items())), definitions

    def _builtin_definitions(self, dialect: Dialect) -> dict[str, Obj]:
        if dialect.version not in self._builtin:
            self._builtin[dialect.version] = {
                name: builtin_definition(schema, dialect) for name, schema in self._schemas.definitions()
            }
        return self._builtin[dialect.version]


def _all(plan: Plan) -> tuple[Kind, ...]:
    return tuple(kind for kinds in plan.values() for kind in kinds)


def _json(document: Any) -> bytes:
    return msgspec.json.encode(document)

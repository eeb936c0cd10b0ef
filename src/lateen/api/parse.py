"""From an object as decoded JSON, or as JSON text, to a typed value or located faults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lateen.api.kind import Kind
from lateen.api.kinds import MESH_GROUPS, MESH_KINDS, kind_of
from lateen.api.objects import Key, Metadata, Object
from lateen.api.schema.decode import Decoder
from lateen.api.schema.fault import Fault, Severity, error

LARGEST: Final = 10 * 1024 * 1024
"""Bytes of JSON text that are read. The API server itself stores no object above 1.5 MiB."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_PLAIN = re.compile(r"[a-z0-9][-a-z0-9]{0,61}[a-z0-9]")
"""Most names of both sorts; quicker to tell than the rest."""
_METADATA: Final = Decoder(Metadata)


class _Head(msgspec.Struct, rename="camel"):
    """What an object says it is."""

    api_version: str
    kind: str


_HEAD: Final = msgspec.json.Decoder(_Head)


class Parsed(msgspec.Struct, frozen=True, gc=False):
    """What became of an object."""

    kind: Kind | None
    """None: not a kind that the mesh reads. Without faults, it is simply none of its business."""
    key: Key
    value: Any
    """`Object[Spec]` of the mesh's kinds, the type itself of Kubernetes'; None if some fault is an error."""
    faults: tuple[Fault, ...] = ()

    @property
    def is_valid(self) -> bool:
        return self.value is not None


def parse(raw: Mapping[str, Any] | bytes, cluster: str = "") -> Parsed:
    """Reads an object of any kind. Never raises, whatever the object contains.

    `cluster` is which cluster it was read from, for its key. An object of a namespaced kind without a namespace is in
    `default`, as it would be in Kubernetes.
    """
    if isinstance(raw, bytes):
        if len(raw) > LARGEST:
            return _unreadable(f"the object has {len(raw)} bytes; at most {LARGEST} are read")
        parsed = _parse_text(raw, cluster)
        if parsed is not None:
            return parsed
        try:
            raw = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            return _unreadable(f"not JSON: {problem}")
        except RecursionError:
            return _unreadable("nested too deeply")
    if not isinstance(raw, Mapping):
        return _unreadable("expected an object")
    api_version, name = raw.get("apiVersion"), raw.get("kind")
    kind = kind_of(api_version, name) if isinstance(api_version, str) and isinstance(name, str) else None
    if kind is None:
        return Parsed(None, _key(raw, cluster), None, _unknown(api_version, name))
    return parse_as(kind, raw, cluster)


def _parse_text(text: bytes, cluster: str) -> Parsed | None:
    """A good object of Kubernetes, straight from its text; None for all others.

    Of Kubernetes there are the most objects, and nothing is checked of them but their types.
    """
    try:
        head = _HEAD.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    kind = kind_of(head.api_version, head.kind)
    if kind is None or kind.value is None:
        return None
    value = kind.value_decoder.decode_text(text)
    return _of_kubernetes(kind, value, cluster) if value is not None else None


def parse_as(kind: Kind, raw: Mapping[str, Any], cluster: str = "") -> Parsed:
    """Reads an object that is known to be of this kind, whatever it says itself: items of a list do not say."""
    wrong: tuple[Fault, ...] = ()
    if kind.value is not None:
        value, wrong = kind.value_decoder.decode(raw)
        if value is not None:
            return _of_kubernetes(kind, value, cluster)
    given = raw.get("metadata")
    metadata, faults = _METADATA.decode({} if given is None else given, "metadata")
    if metadata is None:
        return Parsed(kind, _key(raw, cluster), None, faults)
    metadata, key = _placed(kind, metadata, cluster)
    faults = _judge_names(key) or wrong
    return Parsed(kind, key, None, faults) if faults else _parse_mesh(kind, raw, metadata, key)


def _of_kubernetes(kind: Kind, value: Any, cluster: str) -> Parsed:
    metadata, key = _placed(kind, value.metadata, cluster)
    if metadata is not value.metadata:
        value = msgspec.structs.replace(value, metadata=metadata)
    faults = _judge_names(key)
    return Parsed(kind, key, None if faults else value, faults)


def _placed(kind: Kind, metadata: Metadata, cluster: str) -> tuple[Metadata, Key]:
    """Metadata with the namespace that the object is in, and its key."""
    if not kind.namespaced:
        return metadata, Key("", metadata.name, cluster)
    if not metadata.namespace:
        metadata = msgspec.structs.replace(metadata, namespace="default")
    return metadata, Key(metadata.namespace, metadata.name, cluster)


def _parse_mesh(kind: Kind, raw: Mapping[str, Any], metadata: Metadata, key: Key) -> Parsed:
    stray = tuple(
        error(str(name), "unknown field; expected apiVersion, kind, metadata, spec, status")
        for name in raw
        if name not in _TOP_LEVEL
    )
    given = raw.get("spec")
    spec, faults = kind.spec_decoder.decode({} if given is None else given, "spec")
    if spec is None or stray:
        return Parsed(kind, key, None, (*stray, *faults))
    value = Object(metadata, spec, key, _conditions(kind, raw) if kind.conditions else ())
    if kind.validate is not None:
        faults = tuple(kind.validate(value))
        if any(fault.severity is Severity.ERROR for fault in faults):
            return Parsed(kind, key, None, faults)
    return Parsed(kind, key, value, faults)


def _conditions(kind: Kind, raw: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Those by which the mesh goes; what is not well-formed was not written by those who know, and says nothing."""
    status = raw.get("status")
    listed = status.get("conditions") if isinstance(status, Mapping) else None
    if not isinstance(listed, list):
        return ()
    found = {
        name: each["status"]
        for name in sorted(kind.conditions)
        for each in listed
        if isinstance(each, Mapping) and each.get("type") == name and isinstance(each.get("status"), str)
    }
    return tuple(found.items())


_TOP_LEVEL: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})


def _unreadable(message: str) -> Parsed:
    return Parsed(None, Key("", ""), None, (error("", message),))


def _key(raw: Mapping[str, Any], cluster: str) -> Key:
    """As much of a key as can be made out."""
    metadata = raw.get("metadata")
    if not isinstance(metadata, Mapping):
        return Key("", "", cluster)
    namespace, name = metadata.get("namespace"), metadata.get("name")
    return Key(namespace if isinstance(namespace, str) else "", name if isinstance(name, str) else "", cluster)


def _judge_names(key: Key) -> tuple[Fault, ...]:
    name, namespace = key.name, key.namespace
    if _PLAIN.fullmatch(name) and (not namespace or _PLAIN.fullmatch(namespace)):
        return ()
    found: list[Fault] = []
    if not name:
        found.append(error("metadata.name", "missing: a name is required"))
    elif len(name) > 253 or not _NAME.fullmatch(name):
        # Names of some Kubernetes kinds (RBAC) are freer; the mesh reads none of those.
        found.append(error("metadata.name", _expected_name("lower-case letters, digits, `-` and `.`", 253, name)))
    if namespace and (len(namespace) > 63 or not _LABEL.fullmatch(namespace)):
        found.append(error("metadata.namespace", _expected_name("lower-case letters, digits and `-`", 63, namespace)))
    return tuple(found)


def _expected_name(characters: str, most: int, found: str) -> str:
    return f"expected at most {most} {characters}, with a letter or digit at both ends, got {found[:80]!r}"


def _unknown(api_version: object, name: object) -> tuple[Fault, ...]:
    """Faults of an object whose kind is unknown; none if it is none of the mesh's business."""
    for field, value in (("apiVersion", api_version), ("kind", name)):
        if not isinstance(value, str) or not value:
            return (error(field, "missing: a string is required" if value is None else "expected a string"),)
    group, _, version = str(api_version).rpartition("/")
    if group not in MESH_GROUPS:
        return ()
    known = [kind for kind in MESH_KINDS if kind.group == group]
    for kind in known:
        if kind.kind == name:
            versions = ", ".join(kind.versions)
            return (error("apiVersion", f"{name} has no version {version}; expected one of {versions}"),)
    kinds = ", ".join(kind.kind for kind in known)
    return (error("kind", f"{group} has no kind {name}; expected one of {kinds}"),)

"""Reads manifests: YAML or JSON text into objects as Kubernetes would be sent them, each with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from lateen.api.schema.yaml_depth import is_too_deep

_LARGEST = 1_000_000
"""Values in one document: aliases can make gigabytes out of a few lines."""


class Manifest(NamedTuple):
    """One object of a file."""

    raw: dict[str, Any]
    """Has `apiVersion`, `kind` and `metadata.name`, all strings."""
    line: int
    """Where it begins, counted from 1."""
    refused: str = ""
    """Why it is not taken, and only its head is here: it is rejected by name, and what it was before stays."""


class Misfit(NamedTuple):
    """A document, or an item of a List, that is no object."""

    line: int
    message: str


class ManifestError(ValueError):
    """Text that cannot be read."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message


def read_manifests(text: str | bytes) -> list[Manifest | Misfit]:
    """The objects of a YAML stream or of JSON documents; a `List` counts as its items, empty documents as nothing.

    Raises ManifestError when the text is neither: then nothing of it is known for certain.
    """
    if isinstance(text, bytes):
        text = _decoded(text)
    documents = _json_documents(text) if text.lstrip()[:1] == "{" else None
    return [each for line, value, lines in documents or _yaml_documents(text) for each in _objects(line, value, lines)]


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(text[: error.start].count(b"\n") + 1, f"not UTF-8: {error.reason}") from error


_Document = tuple[int, Any, tuple[int, ...]]
"""Its line, its value, the lines of its items."""


# --- JSON ---------------------------------------------------------------------------------------------------------


def _json_documents(text: str) -> list[_Document] | None:
    """None when it is not JSON after all, but flow-style YAML for example."""
    decoder = json.JSONDecoder()
    found: list[_Document] = []
    at = 0
    while True:
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
        if at == len(text):
            return found
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        found.append((text.count("\n", 0, at) + 1, value, ()))
        at = end


# --- YAML ---------------------------------------------------------------------------------------------------------


class _Loader(yaml.CSafeLoader):
    """Scalars as Kubernetes' YAML reads them: no dates, no base-60 numbers; and no key twice in a mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a scalar", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} occurs twice", key.start_mark)
            seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        # JSON has no other keys than strings: `80: x` is written "80".
        return {_key(key): value for key, value in found.items()}


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return key if isinstance(key, str) else str(key)


def _construct_int(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> int:
    text = str(node.value).replace("_", "").lower()
    digits = text.lstrip("+-")
    if digits.startswith(("0x", "0b", "0o")):
        value = int(digits, 0)
    else:
        value = int(digits, 8 if len(digits) > 1 and digits[0] == "0" else 10)
    return -value if text[0] == "-" else value


def _construct_float(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> float:
    return float(str(node.value).lower().replace(".inf", "inf").replace(".nan", "nan"))


_INT = re.compile(r"[-+]?(0|[1-9][0-9_]*|0[0-7_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+)$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$")
_REPLACED = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")

_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_REPLACED[0], _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(_REPLACED[1], _FLOAT, list("-+0123456789."))
_Loader.add_constructor(_REPLACED[0], _construct_int)
_Loader.add_constructor(_REPLACED[1], _construct_float)


def _yaml_documents(text: str) -> list[_Document]:
    if is_too_deep(text):
        raise ManifestError(1, "nested too deeply")
    found: list[_Document] = []
    try:
        loader = _Loader(text)
        try:
            while loader.check_node() and (node := loader.get_node()) is not None:
                line = node.start_mark.line + 1
                found.append((line, loader.construct_document(node), _lines_of_items(node)))
                if "&" in text:
                    _check_size(line, found[-1][1])
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ManifestError(mark.line + 1 if mark else 1, error.problem or str(error)) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1 if isinstance(error.position, int) else 1
        raise ManifestError(line, error.reason) from error
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(1, str(error)) from error
    except RecursionError as error:
        raise ManifestError(1, "nested too deeply") from error
    return found


def _lines_of_items(node: yaml.Node) -> tuple[int, ...]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "items" and isinstance(value, yaml.SequenceNode):
                return tuple(item.start_mark.line + 1 for item in value.value)
    return ()


def _check_size(line: int, value: Any) -> None:
    """Raises ManifestError for a document that holds itself, or more than anyone writes."""
    pending, count = [value], 0
    while pending:
        each = pending.pop()
        count += 1
        if count > _LARGEST:
            raise ManifestError(line, f"aliases expand to more than {_LARGEST} values")
        if isinstance(each, dict):
            pending.extend(each.values())
        elif isinstance(each, list):
            pending.extend(each)


# --- objects ------------------------------------------------------------------------------------------------------


def _objects(line: int, value: Any, lines: tuple[int, ...]) -> Iterator[Manifest | Misfit]:
    if value is None:
        return
    if not isinstance(value, dict):
        yield Misfit(line, f"expected an object, found {type(value).__name__}")
        return
    kind, items = value.get("kind"), value.get("items")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
        for number, item in enumerate(items):
            yield from _objects(lines[number] if number < len(lines) else line, item, ())
        return
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    for field, found in (("apiVersion", value.get("apiVersion")), ("kind", kind), ("metadata.name", name)):
        if not isinstance(found, str) or not found:
            yield Misfit(line, f"{field} is missing" if found is None else f"{field}: expected a name, found {found!r}")
            return
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    if namespace is not None and not isinstance(namespace, str):
        yield Misfit(line, f"metadata.namespace: expected a name, found {namespace!r}")
        return
    yield Manifest(value, line)

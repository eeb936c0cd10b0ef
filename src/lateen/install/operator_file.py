"""Reads files that hold an IstioOperator: each document's spec, bounded, with where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import yaml

from lateen.api.schema.bounded_yaml import PlainLoader, is_bounded
from lateen.api.schema.yaml_depth import is_too_deep
from lateen.install.values.operator import API_VERSION, KIND

_LONGEST: Final = 4 * 1024 * 1024
"""Bytes of a file."""


class OperatorFileError(ValueError):
    """A file that is no IstioOperator; the message says where and why."""


class OperatorFile(msgspec.Struct, frozen=True):
    """One document."""

    name: str
    """Of the file."""
    line: int
    """On which the document begins."""
    content: bytes
    """All of the file."""
    spec: dict[str, Any]
    """What it says; with the namespace of its metadata, if it has one."""


def read_operator_file(name: str, content: bytes) -> tuple[OperatorFile, ...]:
    """The documents of a file. Raises OperatorFileError."""
    if len(content) > _LONGEST:
        raise OperatorFileError(f"{name}: more than {_LONGEST} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise OperatorFileError(f"{name}: not UTF-8: {problem.reason}") from problem
    if is_too_deep(text):
        raise OperatorFileError(f"{name}: nested too deeply")
    try:
        return tuple(_documents(name, content, text))
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise OperatorFileError(f"{where}: not YAML: {problem.problem or problem.context}") from problem
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        if isinstance(problem, OperatorFileError):
            raise
        raise OperatorFileError(f"{name}: not YAML: {problem}") from problem


def _documents(name: str, content: bytes, text: str) -> Iterator[OperatorFile]:
    loader = PlainLoader(text)
    try:
        while loader.check_node() and (node := loader.get_node()) is not None:
            value, line = loader.construct_document(node), node.start_mark.line + 1
            if value is not None:
                yield _operator(name, line, content, value)
    finally:
        loader.dispose()


def _operator(name: str, line: int, content: bytes, value: Any) -> OperatorFile:
    where = f"{name}:{line}"
    if not isinstance(value, dict):
        raise OperatorFileError(f"{where}: expected an {KIND}, found {type(value).__name__}")
    if not is_bounded(value):
        raise OperatorFileError(f"{where}: aliases stand for too many values")
    if value.get("kind") != KIND or value.get("apiVersion") != API_VERSION:
        found = f"{value.get('apiVersion')} {value.get('kind')}"
        raise OperatorFileError(f"{where}: expected apiVersion {API_VERSION} and kind {KIND}, found {found}")
    unknown = sorted(set(map(str, value)) - {"apiVersion", "kind", "metadata", "spec", "status"})
    if unknown:
        raise OperatorFileError(f"{where}: unknown field {unknown[0]}: settings are under spec")
    spec = value.get("spec") or {}
    if not isinstance(spec, dict):
        raise OperatorFileError(f"{where}: spec: expected an object, found {type(spec).__name__}")
    metadata = value.get("metadata") or {}
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    if isinstance(namespace, str) and namespace and not spec.get("namespace"):
        spec = {"namespace": namespace, **spec}
    return OperatorFile(name, line, content, spec)

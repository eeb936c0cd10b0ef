"""Reads the API types of Kubernetes out of the source text of the installed `lightkube-models` distribution.

The modules are parsed, never imported (importing them needs a client library that we do not want). What a field's
annotation says is all that is there: `str`, `int`, `bool`, `float`, `dict`, `List[T]`, `T`, `module.T`, each possibly
`Optional`. Facts that the annotations lose live in `model_facts.py`.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
from pathlib import Path
from typing import Final

import msgspec

DISTRIBUTION: Final = "lightkube-models"

_PARAMETER = re.compile(r"^ {6}\* \*\*(\w+)\*\* ``[^`]*`` - ?", re.MULTILINE)
_OPTIONAL = re.compile(r"Optional\[(.+)\]")


class ModelField(msgspec.Struct, array_like=True, frozen=True):
    """One field of a type: its JSON name, its annotation without `Optional`, and what its documentation says."""

    name: str
    annotation: str
    required: bool
    description: str


class ModelType(msgspec.Struct, array_like=True, frozen=True):
    """One type. A type without fields of its own (an alias such as `Time`) is not among them."""

    description: str
    fields: list[ModelField]


Models = dict[str, dict[str, ModelType]]
"""Module name (`core_v1`) -> type name (`Pod`) -> type."""


class _Cached(msgspec.Struct, array_like=True):
    version: str
    models: Models


def read_models(modules: tuple[str, ...], cache: Path | None = None) -> Models:
    """Parses the named modules, or reads what an earlier call left in `cache` for the same package version.

    A cache that is unreadable, or of another version or choice of modules, is parsed anew and replaced. A cache that
    cannot be written is no error. Raises `importlib.metadata.PackageNotFoundError` without the distribution.
    """
    distribution = importlib.metadata.distribution(DISTRIBUTION)
    version = f"{distribution.version} {' '.join(modules)}"
    if cache is not None:
        try:
            cached = msgspec.msgpack.decode(cache.read_bytes(), type=_Cached)
            if cached.version == version:
                return cached.models
        except (OSError, msgspec.MsgspecError):
            pass
    models = {
        module: parse_module(
            Path(str(distribution.locate_file(f"lightkube/models/{module}.py"))).read_text(encoding="utf-8")
        )
        for module in modules
    }
    if cache is not None:
        _write(cache, msgspec.msgpack.encode(_Cached(version, models)))
    return models


def _write(cache: Path, content: bytes) -> None:
    temporary = cache.with_suffix(f"{cache.suffix}.new")
    try:
        temporary.write_bytes(content)
        temporary.replace(cache)
    except OSError:
        temporary.unlink(missing_ok=True)


def parse_module(source: str) -> dict[str, ModelType]:
    """Finds the dataclasses of one module's source text."""
    return {node.name: _model_type(node) for node in ast.parse(source).body if isinstance(node, ast.ClassDef)}


def _model_type(node: ast.ClassDef) -> ModelType:
    description, documented = _documentation(ast.get_docstring(node, clean=False) or "")
    fields = []
    for statement in node.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        attribute = statement.target.id
        annotation = ast.literal_eval(statement.annotation)
        if optional := _OPTIONAL.fullmatch(annotation):
            annotation = optional[1]
        fields.append(
            ModelField(
                _json_name(statement) or attribute, annotation, statement.value is None, documented.get(attribute, "")
            )
        )
    return ModelType(description, fields)


def _json_name(statement: ast.AnnAssign) -> str:
    """`field(metadata={"json": "continue"}, ...)` says another name than the attribute has."""
    if isinstance(statement.value, ast.Call):
        for keyword in statement.value.keywords:
            if keyword.arg == "metadata":
                return str(ast.literal_eval(keyword.value)["json"])
    return ""


def _documentation(docstring: str) -> tuple[str, dict[str, str]]:
    """The type's description, and each attribute's; lines that were wrapped for the page are joined again."""
    head, _, rest = docstring.partition("**parameters**")
    marks = list(_PARAMETER.finditer(rest))
    ends = [mark.start() for mark in marks[1:]] + [len(rest)]
    documented = {mark[1]: _unwrapped(rest[mark.end() : end]) for mark, end in zip(marks, ends, strict=True)}
    return _unwrapped(head), documented


def _unwrapped(text: str) -> str:
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(" ".join(line.strip() for line in paragraph.splitlines()) for paragraph in paragraphs)

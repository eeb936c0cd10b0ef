"""The documentation of types and their fields, as written in their source: docstrings, and literals under fields."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

ByName = dict[str, str]

_LINE_BREAK = re.compile(r"(?<!\n)\n(?![\n\-*\s])")
"""Within a paragraph: not before a blank line, a list item or anything indented."""


class Documentation:
    """Reads the source of modules as they are asked about, each once."""

    def __init__(self) -> None:
        self._modules: dict[str, dict[str, ByName]] = {}

    def of_type(self, cls: type[Any]) -> str:
        """A class's docstring; empty if it has none of its own."""
        return _unwrapped(cls.__doc__) if cls.__doc__ else ""

    def of_members(self, cls: type[Any]) -> ByName:
        """What is said under each field of a message, or member of an enum; inherited ones included."""
        found: ByName = {}
        for base in reversed(cls.__mro__):
            found.update(self._module(base.__module__).get(base.__qualname__, {}))
        return found

    def _module(self, name: str) -> dict[str, ByName]:
        if name not in self._modules:
            self._modules[name] = dict(_read(name))
        return self._modules[name]


def _unwrapped(text: str) -> str:
    """Without indentation, and with each paragraph on one line."""
    return _LINE_BREAK.sub(" ", inspect.cleandoc(text))


def _read(module_name: str) -> Iterator[tuple[str, ByName]]:
    module = sys.modules[module_name]
    if not module_name.startswith(__name__.partition(".")[0]):
        return
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.ClassDef):
            yield statement.name, dict(_members(statement))


def _members(definition: ast.ClassDef) -> Iterator[tuple[str, str]]:
    name = ""
    for statement in definition.body:
        match statement:
            case ast.AnnAssign(annotation=annotation) if ast.unparse(annotation).startswith("ClassVar"):
                name = ""
            case ast.AnnAssign(target=ast.Name(id=found)) | ast.Assign(targets=[ast.Name(id=found)]):
                name = found
            case ast.Expr(value=ast.Constant(value=str(text))) if name:
                yield name, _unwrapped(text)
                name = ""
            case _:
                name = ""

"""Reads the part of CEL that rules of the mesh API are written in, into a tree.

Left out is what no rule needs: maps and messages as literals, bytes, unsigned literals, optional values. A rule that
uses them is refused when its type is loaded, not when an object comes.
"""

from __future__ import annotations

import ast
import re
from typing import Final

import msgspec


class CelSyntaxError(ValueError):
    """A rule that cannot be read."""


class Constant(msgspec.Struct, frozen=True):
    value: str | int | float | bool | None


class ListLiteral(msgspec.Struct, frozen=True):
    items: tuple[Node, ...]


class Name(msgspec.Struct, frozen=True):
    name: str


class Select(msgspec.Struct, frozen=True):
    operand: Node
    field: str


class Index(msgspec.Struct, frozen=True):
    operand: Node
    index: Node


class Call(msgspec.Struct, frozen=True):
    """A function, a method (with a target) or an operator (named by its sign)."""

    function: str
    target: Node | None
    arguments: tuple[Node, ...]


class Condition(msgspec.Struct, frozen=True):
    test: Node
    then: Node
    otherwise: Node


Node = Constant | ListLiteral | Name | Select | Index | Call | Condition

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?|0[xX][0-9a-fA-F]+|[0-9]+)
      | (?P<text>[rR]?(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>\|\||&&|==|!=|<=|>=|[-+*/%<>!?:.,()\[\]])
    )""",
    re.VERBOSE,
)

_LEVELS: Final = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%"))
"""Binary operators, the loosest first."""

_CONSTANTS: Final = {"true": True, "false": False, "null": None}


def read(source: str) -> Node:
    """Raises CelSyntaxError."""
    reader = _Reader(_tokens(source))
    node = reader.expression()
    reader.finish()
    return node


def _tokens(source: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position, end = 0, len(source.rstrip())
    while position < end:
        match = _TOKEN.match(source, position)
        if match is None or match.lastgroup is None:
            raise CelSyntaxError(f"cannot read {source[position:]!r}")
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._position = 0

    def finish(self) -> None:
        if self._position < len(self._tokens):
            raise CelSyntaxError(f"unexpected {self._tokens[self._position][1]!r}")

    def expression(self) -> Node:
        test = self._binary(0)
        if not self._take("?"):
            return test
        then = self._binary(0)
        self._expect(":")
        return Condition(test, then, self.expression())

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while (sign := self._peek()) in _LEVELS[level]:
            self._position += 1
            left = Call(sign, None, (left, self._binary(level + 1)))
        return left

    def _unary(self) -> Node:
        for sign in ("!", "-"):
            if self._take(sign):
                return Call(f"unary {sign}", None, (self._unary(),))
        return self._postfix()

    def _postfix(self) -> Node:
        node = self._primary()
        while True:
            if self._take("."):
                name = self._name()
                node = Call(name, node, self._arguments(")")) if self._take("(") else Select(node, name)
            elif self._take("["):
                node = Index(node, self.expression())
                self._expect("]")
            else:
                return node

    def _primary(self) -> Node:
        if self._take("("):
            node = self.expression()
            self._expect(")")
            return node
        if self._take("["):
            return ListLiteral(self._arguments("]"))
        if self._position == len(self._tokens):
            raise CelSyntaxError("unexpected end")
        kind, text = self._tokens[self._position]
        if kind == "number":
            self._position += 1
            return Constant(float(text) if "." in text else int(text, 0))
        if kind == "text":
            self._position += 1
            return Constant(str(ast.literal_eval(text)))
        name = self._name()
        if name in _CONSTANTS:
            return Constant(_CONSTANTS[name])
        return Call(name, None, self._arguments(")")) if self._take("(") else Name(name)

    def _arguments(self, end: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._take(end):
            if found:
                self._expect(",")
            found.append(self.expression())
        return tuple(found)

    def _peek(self) -> str:
        return self._tokens[self._position][1] if self._position < len(self._tokens) else ""

    def _take(self, text: str) -> bool:
        if self._peek() != text or self._tokens[self._position][0] == "text":
            return False
        self._position += 1
        return True

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise CelSyntaxError(f"expected {text!r}, got {self._peek()!r}")

    def _name(self) -> str:
        if self._position == len(self._tokens) or self._tokens[self._position][0] != "name":
            raise CelSyntaxError(f"expected a name, got {self._peek()!r}")
        self._position += 1
        return self._tokens[self._position - 1][1]

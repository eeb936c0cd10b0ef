"""The parsed form of a template."""

from __future__ import annotations

import msgspec


class Text(msgspec.Struct, frozen=True):
    text: str


class Literal(msgspec.Struct, frozen=True):
    value: str | int | float | bool | None


class Dot(msgspec.Struct, frozen=True):
    """The value at hand."""


class Variable(msgspec.Struct, frozen=True):
    name: str
    """With its dollar."""


class Function(msgspec.Struct, frozen=True):
    name: str


class Chain(msgspec.Struct, frozen=True):
    """Fields of a value: `.A.B`, `$x.A`, `(f x).A`."""

    of: Operand
    fields: tuple[str, ...]


class Command(msgspec.Struct, frozen=True):
    """A function with arguments, or a value alone."""

    operands: tuple[Operand, ...]
    line: int


class Pipeline(msgspec.Struct, frozen=True):
    commands: tuple[Command, ...]
    line: int
    variables: tuple[str, ...] = ()
    """That are given the result; two only in `range`."""
    declares: bool = False
    """`:=` rather than `=`."""


Operand = Literal | Dot | Variable | Function | Chain | Pipeline


class Show(msgspec.Struct, frozen=True):
    """An action that prints the result, unless it goes into a variable."""

    pipeline: Pipeline


class If(msgspec.Struct, frozen=True):
    pipeline: Pipeline
    then: tuple[Node, ...]
    otherwise: tuple[Node, ...]


class With(msgspec.Struct, frozen=True):
    pipeline: Pipeline
    then: tuple[Node, ...]
    otherwise: tuple[Node, ...]


class Range(msgspec.Struct, frozen=True):
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


class Call(msgspec.Struct, frozen=True):
    """`template "name" pipeline`."""

    name: str
    pipeline: Pipeline | None
    line: int


class Break(msgspec.Struct, frozen=True):
    line: int


class Continue(msgspec.Struct, frozen=True):
    line: int


Node = Text | Show | If | With | Range | Call | Break | Continue

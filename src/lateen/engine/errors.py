"""Errors that are values of queries, and errors of using the engine wrongly."""

from __future__ import annotations

from typing import Any


class QueryError(Exception):
    """A query's value may be an error: raise a subclass of this inside a query.

    It is remembered like any result and raised again in whoever reads the query, who may catch it and fall back.
    Two errors are the same value when their types and `args` are equal; subclasses with fields should pass all of
    them to `super().__init__`.
    """

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, QueryError) and self.args == other.args

    def __hash__(self) -> int:
        return hash((type(self), self.args))


class CycleError(QueryError):
    """Queries that need one another's results. Every query on the cycle has this error as its value.

    `participants` are the queries of the cycle as text, sorted.
    """

    def __init__(self, participants: tuple[str, ...]) -> None:
        super().__init__(participants)
        self.participants = participants

    def __str__(self) -> str:
        return "cyclic: " + " -> ".join(self.participants)


class QueryFailed(QueryError):
    """A query raised something that is not a QueryError: a fault in the query, contained like any other error."""

    def __init__(self, where: str, cause: Exception) -> None:
        super().__init__(where, type(cause).__name__, str(cause))
        self.where = where
        self.__cause__ = cause

    def __str__(self) -> str:
        _, kind, message = self.args
        return f"{self.where} failed: {kind}: {message}"


class EngineMisuse(RuntimeError):
    """The caller broke a rule of the engine: wrote inside a query, read through a finished reader, nested changes."""


def show_call(name: str, arguments: tuple[Any, ...]) -> str:
    """`name(arguments)` as text, cut to a readable length."""
    listed = ", ".join(repr(a) for a in arguments)
    return f"{name}({listed if len(listed) <= 200 else listed[:200] + '...'})"

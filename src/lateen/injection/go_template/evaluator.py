"""Carries out a parsed template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lateen.injection.go_template.budget import Budget
from lateen.injection.go_template.errors import TemplateError
from lateen.injection.go_template.go_values import field_of, is_true, items_of, shown
from lateen.injection.go_template.nodes import (
    Break,
    Call,
    Chain,
    Command,
    Continue,
    Dot,
    Function,
    If,
    Literal,
    Node,
    Operand,
    Pipeline,
    Range,
    Show,
    Text,
    Variable,
    With,
)

Functions = Mapping[str, Callable[..., Any]]

_NOTHING: Final = object()
"""No value has been piped in."""


class _BreakLoop(Exception):
    pass


class _NextItem(Exception):
    pass


class _Variables:
    """Of one template: the innermost last."""

    def __init__(self, data: Any) -> None:
        self._stack: list[tuple[str, Any]] = [("$", data)]

    def mark(self) -> int:
        return len(self._stack)

    def release(self, mark: int) -> None:
        del self._stack[mark:]

    def declare(self, name: str, value: Any) -> None:
        self._stack.append((name, value))

    def assign(self, name: str, value: Any) -> None:
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index][0] == name:
                self._stack[index] = (name, value)
                return
        raise TemplateError(f"there is no variable {name}")

    def value(self, name: str) -> Any:
        for known, value in reversed(self._stack):
            if known == name:
                return value
        raise TemplateError(f"there is no variable {name}")


class Evaluator:
    """Of one rendering."""

    def __init__(self, name: str, definitions: Mapping[str, Sequence[Node]], functions: Functions) -> None:
        self._name = name
        self._definitions = definitions
        self._functions = functions
        self._budget = Budget()
        self._output: list[str] = []

    def render(self, nodes: Sequence[Node], data: Any) -> str:
        """Raises TemplateError."""
        self._list(nodes, data, _Variables(data))
        return "".join(self._output)

    # --- nodes ----------------------------------------------------------------------------------------------------

    def _list(self, nodes: Sequence[Node], dot: Any, variables: _Variables) -> None:
        mark = variables.mark()
        for node in nodes:
            self._budget.step()
            self._node(node, dot, variables)
        variables.release(mark)

    def _node(self, node: Node, dot: Any, variables: _Variables) -> None:
        match node:
            case Text():
                self._write(node.text)
            case Show():
                value = self._pipeline(node.pipeline, dot, variables)
                if not node.pipeline.variables:
                    self._write(self._shown(value, node.pipeline.line))
            case If() | With():
                self._branch(node, dot, variables)
            case Range():
                self._range(node, dot, variables)
            case Call():
                self._call(node, dot, variables)
            case Break():
                raise _BreakLoop
            case Continue():
                raise _NextItem

    def _branch(self, node: If | With, dot: Any, variables: _Variables) -> None:
        mark = variables.mark()
        value = self._pipeline(node.pipeline, dot, variables)
        if is_true(value):
            self._list(node.then, value if isinstance(node, With) else dot, variables)
        else:
            self._list(node.otherwise, dot, variables)
        variables.release(mark)

    def _range(self, node: Range, dot: Any, variables: _Variables) -> None:
        mark = variables.mark()
        line, names = node.pipeline.line, node.pipeline.variables
        value = self._pipeline(node.pipeline, dot, variables, assign=False)
        try:
            items = items_of(value)
        except TemplateError as problem:
            raise problem.at(self._name, line) from None
        empty = True
        for key, item in items:
            empty = False
            inner = variables.mark()
            put = variables.declare if node.pipeline.declares else variables.assign
            for name, each in zip(names, (key, item)[-len(names) :] if names else (), strict=True):
                put(name, each)
            try:
                self._budget.step()
                self._list(node.body, item, variables)
            except _NextItem:
                pass
            except _BreakLoop:
                break
            except TemplateError as problem:
                raise problem.at(self._name, line) from None
            finally:
                variables.release(inner)
        if empty:
            self._list(node.otherwise, dot, variables)
        variables.release(mark)

    def _call(self, node: Call, dot: Any, variables: _Variables) -> None:
        body = self._definitions.get(node.name)
        if body is None:
            raise TemplateError(f"there is no template {node.name!r}", self._name, node.line)
        data = self._pipeline(node.pipeline, dot, variables) if node.pipeline is not None else None
        try:
            self._budget.enter()
        except TemplateError as problem:
            raise problem.at(self._name, node.line) from None
        self._list(body, data, _Variables(data))
        self._budget.leave()

    # --- values ---------------------------------------------------------------------------------------------------

    def _pipeline(self, pipeline: Pipeline, dot: Any, variables: _Variables, assign: bool = True) -> Any:
        value: Any = _NOTHING
        for command in pipeline.commands:
            try:
                self._budget.step()
                value = self._budget.judge(self._command(command, dot, variables, value))
            except TemplateError as problem:
                raise problem.at(self._name, command.line) from None
        if assign:
            for name in pipeline.variables:
                (variables.declare if pipeline.declares else variables.assign)(name, value)
        return value

    def _command(self, command: Command, dot: Any, variables: _Variables, piped: Any) -> Any:
        first, *rest = command.operands
        if isinstance(first, Function):
            return self._function(first.name, rest, dot, variables, piped)
        if rest or piped is not _NOTHING:
            raise TemplateError("only functions take arguments")
        return self._operand(first, dot, variables)

    def _function(self, name: str, rest: Sequence[Operand], dot: Any, variables: _Variables, piped: Any) -> Any:
        if name in ("and", "or"):
            return self._logic(name, rest, dot, variables, piped)
        function = self._functions.get(name)
        if function is None:
            raise TemplateError(f"there is no function {name}")
        arguments = [self._operand(each, dot, variables) for each in rest]
        if piped is not _NOTHING:
            arguments.append(piped)
        try:
            return function(*arguments)
        except TemplateError as problem:
            raise TemplateError(f"{name}: {problem.message}") from None
        except (
            TypeError,
            ValueError,
            AttributeError,
            KeyError,
            IndexError,
            ArithmeticError,
            RecursionError,
        ) as problem:
            raise TemplateError(f"{name}: arguments of the wrong number or type ({problem})") from None

    def _logic(self, name: str, rest: Sequence[Operand], dot: Any, variables: _Variables, piped: Any) -> Any:
        """Go: the first argument that decides, and none after it is looked at."""
        value: Any = _NOTHING
        for operand in rest:
            value = self._operand(operand, dot, variables)
            if is_true(value) == (name == "or"):
                return value
        if piped is not _NOTHING:
            return piped
        if value is _NOTHING:
            raise TemplateError(f"{name} needs an argument")
        return value

    def _operand(self, operand: Operand, dot: Any, variables: _Variables) -> Any:
        match operand:
            case Literal():
                return operand.value
            case Dot():
                return dot
            case Variable():
                return variables.value(operand.name)
            case Function():
                return self._function(operand.name, (), dot, variables, _NOTHING)
            case Chain():
                value = self._operand(operand.of, dot, variables)
                for name in operand.fields:
                    value = field_of(value, name)
                return value
            case Pipeline():
                return self._pipeline(operand, dot, variables)

    def _shown(self, value: Any, line: int) -> str:
        try:
            return shown(value)
        except RecursionError:
            raise TemplateError("nested too deeply to be printed", self._name, line) from None

    def _write(self, text: str) -> None:
        self._budget.write(text)
        self._output.append(text)

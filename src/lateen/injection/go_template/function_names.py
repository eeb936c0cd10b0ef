"""Which functions a template calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lateen.injection.go_template.nodes import (
    Call,
    Chain,
    Function,
    If,
    Node,
    Operand,
    Pipeline,
    Range,
    Show,
    With,
)


def function_names(*bodies: Sequence[Node]) -> Iterator[tuple[str, int]]:
    """Names, each with the line it is on."""
    for nodes in bodies:
        for node in nodes:
            yield from _of_node(node)


def _of_node(node: Node) -> Iterator[tuple[str, int]]:
    match node:
        case Show():
            yield from _of_pipeline(node.pipeline)
        case If() | With():
            yield from _of_pipeline(node.pipeline)
            yield from function_names(node.then, node.otherwise)
        case Range():
            yield from _of_pipeline(node.pipeline)
            yield from function_names(node.body, node.otherwise)
        case Call(pipeline=Pipeline() as pipeline):
            yield from _of_pipeline(pipeline)


def _of_pipeline(pipeline: Pipeline) -> Iterator[tuple[str, int]]:
    for command in pipeline.commands:
        for operand in command.operands:
            yield from _of_operand(operand, command.line)


def _of_operand(operand: Operand, line: int) -> Iterator[tuple[str, int]]:
    match operand:
        case Function():
            yield operand.name, line
        case Chain():
            yield from _of_operand(operand.of, line)
        case Pipeline():
            yield from _of_pipeline(operand)

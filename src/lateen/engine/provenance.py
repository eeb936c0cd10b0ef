"""Which inputs made a result: the engine's answer to "why"."""

from __future__ import annotations

from dataclasses import dataclass

from lateen.engine.inputs import Input
from lateen.engine.node import Node, Source


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one result read, directly and through other queries. Revisions tell which inputs are newest."""

    call: str
    """The query with its arguments, as text."""
    changed_at: int
    """The revision at which the result last became different."""
    inputs: tuple[tuple[Input, int], ...]
    """Every input read, each once, with the revision of its last change since it was first read (0: none)."""
    through: tuple[str, ...]
    """The queries between the result and the inputs, each once, in the order they were first read."""

    def newest(self) -> tuple[Input, ...]:
        """The inputs that changed at the revision at which the result did: why it is different now."""
        return tuple(read for read, changed_at in self.inputs if changed_at and changed_at == self.changed_at)


def explain(node: Node) -> Explanation:
    """Walks what an up-to-date node depends on; costs its transitive dependencies, each once."""
    inputs: dict[Source, None] = {}
    through: dict[Node, None] = {}
    pending = list(reversed(node.deps))
    while pending:
        found = pending.pop()
        if isinstance(found, Source):
            inputs[found] = None
        elif found is not node and found not in through:
            through[found] = None
            pending.extend(reversed(found.deps))
    return Explanation(
        call=repr(node),
        changed_at=node.changed_at,
        inputs=tuple((source.input, source.changed_at) for source in inputs),
        through=tuple(repr(n) for n in through),
    )

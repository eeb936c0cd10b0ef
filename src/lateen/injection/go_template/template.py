"""A template, ready to be rendered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from lateen.injection.go_template.errors import TemplateError
from lateen.injection.go_template.evaluator import Evaluator, Functions
from lateen.injection.go_template.function_names import function_names
from lateen.injection.go_template.nodes import Node
from lateen.injection.go_template.parser import Parser

_LONGEST: Final = 262_144
"""Characters of a template's text."""


class Template(msgspec.Struct, frozen=True):
    """Parsed; the same for every pod."""

    name: str
    nodes: tuple[Node, ...]
    definitions: Mapping[str, tuple[Node, ...]]

    def render(self, data: Any, functions: Functions) -> str:
        """Raises TemplateError, located. `data` is what `.` and `$` are (see `go_values`)."""
        return Evaluator(self.name, self.definitions, functions).render(self.nodes, data)


def parse_template(name: str, text: str, known: frozenset[str] | None = None) -> Template:
    """Raises TemplateError, located. `known` are the functions there will be; None: any."""
    if len(text) > _LONGEST:
        raise TemplateError(f"longer than {_LONGEST} characters", name, 1)
    parser = Parser(name, text)
    nodes = parser.parse()
    template = Template(name, nodes, parser.definitions)
    if known is not None:
        for function, line in function_names(template.nodes, *template.definitions.values()):
            if function not in known:
                raise TemplateError(f"there is no function {function!r}", name, line)
    return template

"""How much one rendering may do: templates are users' text, and the control plane has other things to do."""

from __future__ import annotations

from typing import Any, Final

from lateen.injection.go_template.errors import TemplateError

MOST_STEPS: Final = 200_000
"""Actions and calls of functions."""
LONGEST: Final = 1_048_576
"""Characters of the output, of any string, and items of any list on the way."""
DEEPEST: Final = 100
"""Templates within templates."""


class Budget:
    """Of one rendering. Each method raises TemplateError when it is used up."""

    def __init__(self) -> None:
        self._steps = 0
        self._written = 0
        self._depth = 0

    def step(self) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise TemplateError(f"takes more than {MOST_STEPS} steps")

    def write(self, text: str) -> None:
        self._written += len(text)
        if self._written > LONGEST:
            raise TemplateError(f"gives more than {LONGEST} characters")

    def enter(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise TemplateError(f"templates within templates, more than {DEEPEST} deep")

    def leave(self) -> None:
        self._depth -= 1

    def judge(self, value: Any) -> Any:
        """A result of a function."""
        if isinstance(value, (str, list, tuple, dict)):
            # A long string that is made again and again is work, too.
            self._steps += len(value) // 1024
            if len(value) > LONGEST:
                raise TemplateError(f"a value has more than {LONGEST} parts")
        return value


def bounded_length(length: int) -> int:
    """A length that a function is about to make. Raises TemplateError."""
    if length > LONGEST:
        raise TemplateError(f"a value would have {length} parts; at most {LONGEST} are made")
    return length

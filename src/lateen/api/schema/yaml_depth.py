"""How deep a YAML text is nested: told before it is read, because libyaml's reader recurses on the C stack.

Text nested some ten thousand levels deep, a few kilobytes, would end the process.
"""

from __future__ import annotations

import re
from typing import Final

import yaml

DEEPEST: Final = 200
"""Levels that are read."""

_BRACKET = re.compile(r"[\[\]{}]")
_INDENTED = re.compile(rf"^[ ]{{{DEEPEST}}}", re.MULTILINE)
_COMPACT = re.compile(rf"(?:[-?][ \t]+){{{DEEPEST // 2}}}")


def is_too_deep(text: str) -> bool:
    """Whether a text is nested deeper than is read. Text that is no YAML is not: whoever reads it will say so."""
    return _may_be_deep(text) and _is_deep(text)


def _may_be_deep(text: str) -> bool:
    """A quick look that never misses: brackets, indentation, and lists inside of lists on one line."""
    depth = 0
    for bracket in _BRACKET.finditer(text):
        if bracket[0] in "[{":
            depth += 1
            if depth > DEEPEST // 2:
                return True
        elif depth:
            depth -= 1
    return _INDENTED.search(text) is not None or _COMPACT.search(text) is not None


def _is_deep(text: str) -> bool:
    """By the parser's events, which need no stack."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > DEEPEST:
                    return True
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except (yaml.YAMLError, ValueError):
        return False
    return False

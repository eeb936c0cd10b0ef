"""YAML text of users into plain data, with bounds on its length, its depth and what its aliases stand for."""

from __future__ import annotations

from typing import Any, Final

import yaml

from lateen.api.schema.fault import Fault, error
from lateen.api.schema.yaml_depth import is_too_deep

_LONGEST: Final = 1_048_576
"""Characters of text: what a ConfigMap may hold."""
_LARGEST: Final = 100_000
"""Values: aliases can make gigabytes out of a few lines."""


class PlainLoader(yaml.CSafeLoader):
    """No dates, and no key twice in a mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} again", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


PlainLoader.yaml_implicit_resolvers = {
    start: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for start, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def load_object(text: str) -> dict[str, Any] | Fault:
    """The object that a YAML text holds, or what is wrong with the text. Empty text holds an empty object."""
    if len(text) > _LONGEST:
        return error("", f"longer than {_LONGEST} characters")
    if is_too_deep(text):
        return error("", "not YAML: nested too deeply")
    try:
        value = yaml.load(text, PlainLoader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        return error("", f"not YAML: {where}{problem.problem or problem.context}")
    except (yaml.YAMLError, ValueError) as problem:
        return error("", f"not YAML: {problem}")
    except RecursionError:
        return error("", "not YAML: nested too deeply")
    if value is None:
        return {}
    if not isinstance(value, dict):
        return error("", f"expected an object, got {type(value).__name__}")
    if not is_bounded(value):
        return error("", f"aliases stand for more than {_LARGEST} values")
    return value


def is_bounded(value: Any) -> bool:
    """Whether a value, with what its aliases stand for, is of a size that somebody has written."""
    left = [value]
    for _ in range(_LARGEST):
        if not left:
            return True
        item = left.pop()
        if isinstance(item, dict):
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
    return False

"""On which line of a file a field is: looked up only for the few fields that somebody is told about."""

from __future__ import annotations

import re
from typing import Any

import yaml

_UNDERSCORED = re.compile(r"_([a-z])")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[([^\]]*)\]")


class FieldLines:
    """The lines of one file's fields. The file is read again, with positions, when the first line is asked for."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._objects: dict[int, yaml.Node] | None = None

    def line(self, start: int, path: str) -> int:
        """The line of a field (`spec.http[0].timeout`) of the object that begins on line `start`.

        Of a field that is not there, the line of what should hold it.
        """
        if not path:
            return start
        if self._objects is None:
            self._objects = _objects(self._content)
        node = self._objects.get(start)
        if node is None:
            return start
        line = start
        for name, index in _STEP.findall(path):
            found = _child(node, name or index, is_name=bool(name))
            if found is None:
                break
            line, node = found
        return line


def _child(node: yaml.Node, step: str, *, is_name: bool) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            # The API takes snake_case as well; paths are in camelCase.
            if key.value == step or _UNDERSCORED.sub(_raised, key.value) == step:
                return key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode) and not is_name and step.isdigit() and int(step) < len(node.value):
        item = node.value[int(step)]
        return item.start_mark.line + 1, item
    return None


def _raised(found: re.Match[str]) -> str:
    return found[1].upper()


def _objects(content: bytes) -> dict[int, yaml.Node]:
    """The nodes of objects by the line they begin on; those inside of a List as well."""
    found: dict[int, yaml.Node] = {}
    try:
        # JSON is YAML, but for documents that follow each other without a separator: those have no lines.
        for document in yaml.compose_all(content, Loader=yaml.CSafeLoader):
            _collect(document, found)
    except yaml.YAMLError:
        pass
    return found


def _collect(node: Any, found: dict[int, yaml.Node]) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    found[node.start_mark.line + 1] = node
    for key, value in node.value:
        if key.value == "items" and isinstance(value, yaml.SequenceNode):
            for item in value.value:
                _collect(item, found)

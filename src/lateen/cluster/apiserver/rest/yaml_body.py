"""YAML as Kubernetes reads it: into JSON values, with bounds on what a small text may unfold to."""

from __future__ import annotations

from typing import Any

import yaml

from lateen.cluster.status import bad_request

_MAX_NODES = 500_000
"""Nodes after aliases are unfolded."""


class _Loader(yaml.CSafeLoader):
    """YAML 1.1 without the timestamps and base-60 numbers that sigs.k8s.io/yaml does not know either."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def load_yaml(body: bytes, duplicates: list[str], max_depth: int) -> Any:
    """One document as JSON values; keys that a mapping has twice go to `duplicates`. Raises StatusError 400."""
    loader = _Loader(body)
    try:
        _check_depth(body, max_depth)
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node, {}, duplicates, "")
        return _string_keys(loader.construct_document(node))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise bad_request(f"error converting YAML to JSON: {error}") from None
    finally:
        loader.dispose()


def _check_depth(body: bytes, max_depth: int) -> None:
    """Reads the events alone. The loader's own recursion is C's: too much of it ends the process, not the request."""
    depth = 0
    parser = _Loader(body)
    try:
        while (event := parser.get_event()) is not None:
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > max_depth:
                    raise ValueError(f"exceeded max depth of {max_depth}")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    finally:
        parser.dispose()


def _measure(node: yaml.Node, sizes: dict[int, int], duplicates: list[str], path: str) -> int:
    """The number of nodes below `node`, aliases unfolded. Raises ValueError when there are too many."""
    known = sizes.get(id(node))
    if known is not None:
        if known == 0:
            raise ValueError("an alias contains itself")
        return known
    sizes[id(node)] = 0
    size = 1
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            name = str(key.value)
            below = f"{path}.{name}" if path else name
            if name in seen:
                duplicates.append(below)
            seen.add(name)
            size += 1 + _measure(value, sizes, duplicates, below)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            size += _measure(value, sizes, duplicates, f"{path}[{index}]")
    if size > _MAX_NODES:
        raise ValueError("document contains excessive aliasing")
    sizes[id(node)] = size
    return size


def _string_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(k): _string_keys(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_string_keys(v) for v in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise ValueError(f"unsupported value of type {type(value).__name__}")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, (int, float)):
        return str(key)
    raise ValueError(f"unsupported key {key!r}")

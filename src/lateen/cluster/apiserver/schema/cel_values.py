"""How values look inside validation rules: typed by their schema, with field names that CEL can write.

Source: k8s.io/apiserver `cel/common` (values, escaping) and the documentation of `x-kubernetes-validations`.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from lateen.cluster.apiserver.schema.cel import Type
from lateen.cluster.apiserver.schema.formats import is_base64, is_date_time
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.apiserver.schema.value_equality import unique_key

_RESERVED: Final = frozenset(
    {
        *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import"),
        *("let", "loop", "package", "namespace", "return", "var", "void", "while"),
    }
)
_ESCAPES: Final = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_READERS: Final = {"date-time": "timestamp", "duration": "duration"}
_VISIBLE_METADATA: Final = ("name", "generateName")


def escaped(name: str) -> str | None:
    """The identifier that stands for a field's name in rules; None for a name that cannot be written."""
    if name in _RESERVED:
        return f"__{name}__"
    for plain, escape in _ESCAPES:
        name = name.replace(plain, escape)
    return name if _IDENTIFIER.fullmatch(name) else None


def cel_type(schema: Schema) -> Any:
    """The declared type of values of a node. Objects with fields, numbers and int-or-string are dynamic."""
    if schema.nullable or schema.int_or_string:
        return Type.DYN
    match schema.type:
        case "string":
            return {"date-time": Type.TIMESTAMP, "duration": Type.DURATION, "byte": Type.BYTES}.get(
                schema.format, Type.STRING
            )
        case "boolean":
            return Type.BOOL
        case "integer":
            return Type.INT
        case "array":
            return Type.List(cel_type(schema.items) if schema.items is not None else Type.DYN)
        case "object" if schema.is_map and schema.additional is not None:
            return Type.Map(Type.STRING, cel_type(schema.additional))
    return Type.DYN


def type_signature(schema: Schema) -> str:
    """Text that is the same for nodes of the same `cel_type`."""
    if schema.nullable or schema.int_or_string:
        return "dyn"
    if schema.type == "array":
        return f"list({type_signature(schema.items) if schema.items is not None else 'dyn'})"
    if schema.type == "object":
        inner = schema.additional if schema.is_map else None
        return f"map({type_signature(inner)})" if inner is not None else "dyn"
    if schema.type == "string" and schema.format in ("date-time", "duration", "byte"):
        return schema.format
    return schema.type if schema.type in ("string", "boolean", "integer") else "dyn"


def to_cel(value: Any, schema: Schema | None, *, root: bool = False) -> Any:
    """The value as a rule sees it. Values that do not fit their schema pass as they are.

    Times and durations inside dynamic values stay text (the evaluator takes them in typed variables only); rules reach
    them through `with_typed_paths`.
    """
    return _seen(value, schema, root=root, typed=schema is not None and cel_type(schema) != Type.DYN)


def _seen(value: Any, schema: Schema | None, *, root: bool = False, typed: bool = False) -> Any:
    if schema is None or value is None:
        return value
    typed = typed and not schema.nullable
    if isinstance(value, dict):
        if not schema.properties and schema.additional is None:
            return value
        seen: dict[str, Any] = {}
        for key, child in value.items():
            known = schema.properties.get(key)
            if known is not None:
                name = escaped(key)
                if name is None or (child is None and not known.nullable):
                    continue
                if key == "metadata" and (root or schema.embedded_resource) and isinstance(child, dict):
                    child = {field: child[field] for field in _VISIBLE_METADATA if field in child}
                seen[name] = _seen(child, known)
            elif schema.additional is not None:
                seen[key] = _seen(child, schema.additional, typed=typed)
        return seen
    if isinstance(value, list):
        return [_seen(child, schema.items, typed=typed) for child in value]
    if schema.type == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if schema.type == "integer" and isinstance(value, float):
        return int(value)
    if isinstance(value, str) and schema.type == "string" and (typed or schema.format == "byte"):
        return _formatted(value, schema.format)
    return value


def with_typed_paths(source: str, schema: Schema) -> str:
    """The rule with every mention of a time or duration, such as `self.spec.start`, read as one."""
    for path, reader in _timed_paths(schema, ""):
        mention = rf"(?<![\w.])(has\(\s*)?((?:self|oldSelf){re.escape(path)})(?![\w(\[])"
        source = re.sub(mention, partial(_read, reader), source)
    return source


def _read(reader: str, mention: re.Match[str]) -> str:
    """`has(self.start` asks for the field and stays."""
    return mention[0] if mention[1] else f"{reader}({mention[2]})"


def _timed_paths(schema: Schema, path: str) -> Iterator[tuple[str, str]]:
    for name, child in schema.properties.items():
        identifier = escaped(name)
        if identifier is None:
            continue
        where = f"{path}.{identifier}"
        if child.type == "string" and child.format in _READERS and not child.nullable:
            yield where, _READERS[child.format]
        elif child.properties:
            yield from _timed_paths(child, where)


def _formatted(value: str, shape: str) -> Any:
    if shape == "date-time" and is_date_time(value):
        return dt.datetime.fromisoformat(value.upper().replace("Z", "+00:00"))
    if shape == "byte" and is_base64(value):
        return base64.b64decode(value)
    if shape == "duration":
        parts = _DURATION_PART.findall(value)
        seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in parts)
        return dt.timedelta(seconds=-seconds if value.startswith("-") else seconds)
    return value


def in_order_of(old: Any, new: Any, schema: Schema | None) -> Any:
    """`old` with the elements of its set- and map-like lists in the order of `new`.

    The order of such lists has no meaning, so that afterwards plain equality means what Kubernetes means by it.
    """
    if schema is None:
        return old
    if isinstance(old, dict) and isinstance(new, dict):
        return {
            key: in_order_of(value, new.get(key), schema.properties.get(key, schema.additional))
            for key, value in old.items()
        }
    if not isinstance(old, list) or not isinstance(new, list) or schema.list_type not in ("set", "map"):
        return old
    keys = schema.list_map_keys if schema.list_type == "map" else ()
    places: dict[str, tuple[int, Any]] = {
        _identity(element, keys): (index, element) for index, element in reversed(list(enumerate(new)))
    }

    def place(element: Any) -> int:
        return places.get(_identity(element, keys), (len(new), None))[0]

    return [
        in_order_of(element, places.get(_identity(element, keys), (0, None))[1], schema.items)
        for element in sorted(old, key=place)
    ]


def _identity(element: Any, keys: tuple[str, ...]) -> str:
    if keys and isinstance(element, dict):
        return unique_key([element.get(key) for key in keys])
    return unique_key(element)

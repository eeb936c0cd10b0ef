"""The tables of docs/install.md, made from the model: `python -m lateen.install.reference docs/install.md`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final

import msgspec

from lateen.api.schema.documentation import Documentation
from lateen.api.schema.message import Message
from lateen.api.schema.shape import (
    Alternatives,
    Anything,
    Boolean,
    Choice,
    Entries,
    Items,
    MessageShape,
    Number,
    Shape,
    shape_of,
)
from lateen.injection.values import WebhookValues
from lateen.install.explicit import explicit
from lateen.install.values.gateway import Gateway
from lateen.install.values.global_values import Global
from lateen.install.values.operator import KubernetesSettings, Operator
from lateen.install.values.pilot import Pilot
from lateen.install.values.values import Values

_BEGIN: Final = "<!-- made by python -m lateen.install.reference: {} -->\n"
_END: Final = "<!-- end -->\n"
_SECTIONS: Final[Mapping[str, tuple[type[Message], tuple[str, ...]]]] = {
    "spec": (Operator, ("values", "components")),
    "k8s": (KubernetesSettings, ()),
    "global": (Global, ()),
    "pilot": (Pilot, ("cni", "env")),
    "injection": (WebhookValues, ()),
    "gateways": (Gateway, ()),
    "other": (Values, ("global", "pilot", "sidecarInjectorWebhook", "istio-ingressgateway", "istio-egressgateway")),
}
"""Of the document: which message each table is of, and the keys that are told of elsewhere."""


class Row(msgspec.Struct, frozen=True):
    """One key."""

    path: str
    type: str
    default: str
    text: str


def rows(message: type[Message], without: tuple[str, ...] = ()) -> list[Row]:
    """All keys of a message and of those inside of it, in the order of the model."""
    return list(_rows(shape_of(message), "", without, Documentation()))


def with_tables(text: str) -> str:
    """The document with its tables made anew. Raises ValueError when a mark is missing."""
    for name, (message, without) in _SECTIONS.items():
        begin = _BEGIN.format(name)
        at = text.index(begin) + len(begin)
        text = text[:at] + _table(rows(message, without)) + text[text.index(_END, at) :]
    return text


def _table(found: list[Row]) -> str:
    lines = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    lines += [f"| `{row.path}` | {row.type} | {row.default} | {row.text} |" for row in found]
    return "\n".join(["", *lines, "", ""])


def _rows(shape: MessageShape, path: str, without: tuple[str, ...], documentation: Documentation) -> Iterator[Row]:
    texts = documentation.of_members(shape.type)
    for field in shape.fields:
        where = f"{path}{field.name}"
        if field.name in without:
            continue
        text = " ".join(texts.get(field.attribute, "").split()).replace("|", "\\|")
        inner, mark = field.shape, "."
        if isinstance(inner, Items):
            inner, mark = inner.item, "[]."
        if isinstance(inner, MessageShape):
            if isinstance(field.shape, Items):
                yield Row(where, "list", "", text)
            yield from _rows(inner, f"{where}{mark}", without, documentation)
        else:
            yield Row(where, _type(field.shape), _default(field.default), text)


def _type(shape: Shape) -> str:
    match shape:
        case Boolean():
            return "boolean"
        case Number():
            return "integer" if shape.is_integer else "number"
        case Alternatives():
            return "integer or string"
        case Choice():
            return " or ".join(f"`{value}`" if value else "nothing" for value in shape.values)
        case Items():
            return f"list of {_type(shape.item)}s"
        case Entries():
            return f"map of {_type(shape.value)}s"
        case Anything():
            return "object" if shape.is_object else "any"
    return "string"


def _default(value: Any) -> str:
    value = value.value if isinstance(value, Enum) else explicit(value)
    return "" if value in (None, "", [], {}) else f"`{json.dumps(value) if not isinstance(value, str) else value}`"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(with_tables(Path(name).read_text()))

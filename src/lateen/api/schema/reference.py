"""Reference documentation (Markdown) from types: what users may write in a resource, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

from lateen.api.kind import Kind
from lateen.api.schema.documentation import Documentation
from lateen.api.schema.message import Rule
from lateen.api.schema.shape import (
    Alternatives,
    Anything,
    Boolean,
    Choice,
    Entries,
    FieldShape,
    Items,
    MessageShape,
    Number,
    Shape,
    Span,
    Text,
    messages,
    shape_of,
)


def kind_page(kind: Kind, documentation: Documentation) -> str:
    """The page of one of the mesh's own kinds."""
    assert kind.spec is not None
    facts = [
        ("API versions", ", ".join(f"`{version}`" for version in kind.api_versions)),
        ("Names", ", ".join(f"`{name}`" for name in (kind.plural, kind.singular, *kind.short_names))),
        ("Scope", "namespaced" if kind.namespaced else "cluster"),
    ]
    head = [f"# {kind.kind}", "", kind.description, "", "| | |", "| --- | --- |"]
    head += [f"| {name} | {value} |" for name, value in facts]
    return "\n".join([*head, "", *_sections(kind.spec_decoder.shape, documentation, "spec")]) + "\n"


def message_page(title: str, description: str, message: type[Any], documentation: Documentation) -> str:
    """The page of a message that is no Kubernetes resource: MeshConfig."""
    return "\n".join([f"# {title}", "", description, "", *_sections(shape_of(message), documentation, "")]) + "\n"


def _sections(root: MessageShape, documentation: Documentation, place: str) -> Iterator[str]:
    seen: dict[type[Any], None] = {}
    enums: dict[type[Enum], None] = {}
    for shape in messages(root):
        if shape.type in seen:
            continue
        seen[shape.type] = None
        for field in shape.fields:
            for choice in _choices(field.shape):
                enums[choice] = None
        yield from _message(shape, documentation, place if shape is root else "")
    for enum in enums:
        yield from _enum(enum, documentation)


def _choices(shape: Shape) -> Iterator[type[Enum]]:
    match shape:
        case Choice():
            yield shape.type
        case Items():
            yield from _choices(shape.item)
        case Entries():
            yield from _choices(shape.value)


def _message(shape: MessageShape, documentation: Documentation, place: str) -> Iterator[str]:
    name = shape.type.__name__
    yield f"## {name}" + (f" (`{place}`)" if place else "")
    yield ""
    text = documentation.of_type(shape.type)
    if text:
        yield text
        yield ""
    if shape.fields:
        texts = documentation.of_members(shape.type)
        yield "| Field | Type | |"
        yield "| --- | --- | --- |"
        for field in shape.fields:
            yield _field_row(field, texts.get(field.attribute, ""))
        yield ""
    for group in shape.oneofs:
        if len(group) > 1:
            yield f"At most one of {_listed(group)} may be set."
            yield ""
    for rule in shape.rules:
        yield f"Rule: {_cell(rule.message)}."
        yield ""


def _field_row(field: FieldShape, text: str) -> str:
    notes = [text] if text else []
    if field.required:
        notes.append("**Required.**")
    notes += _constraints(field.shape)
    return f"| `{field.name}` | {_type(field.shape)} | {_cell(' '.join(notes))} |"


def _type(shape: Shape) -> str:
    match shape:
        case MessageShape():
            return f"[{shape.type.__name__}](#{_anchor(shape.type.__name__)})"
        case Items():
            return f"list of {_type(shape.item)}"
        case Entries():
            return f"map of {_type(shape.value)}"
        case Choice():
            return f"[{shape.type.__name__}](#{_anchor(shape.type.__name__)})"
        case Number():
            return "integer" if shape.is_integer else "number"
        case Boolean():
            return "boolean"
        case Span():
            return "duration"
        case Alternatives():
            return "integer or string"
        case Anything():
            return "object" if shape.is_object else "any"
        case Text():
            return "bytes (base64)" if shape.base64 else "string"


def _constraints(shape: Shape) -> list[str]:
    """Sentences about a field's value, and about those inside of a list or map."""
    found: list[str] = []
    match shape:
        case Number():
            found += _range(shape)
        case Text():
            found += _size(shape.min_length, shape.max_length, "characters")
            if shape.pattern is not None:
                found.append(f"Matches `{shape.pattern}`.")
        case Items():
            found += _size(shape.min_length, shape.max_length, "items")
            if shape.map_keys:
                found.append(f"No two items with the same {_listed(shape.map_keys)}.")
            found += _each("Each item", shape.item)
        case Entries():
            found += _size(shape.min_length, shape.max_length, "entries")
            found += _each("Each value", shape.value)
    if not isinstance(shape, MessageShape):
        found += [_sentence(rule) for rule in shape.rules]
    return found


def _each(what: str, shape: Shape) -> list[str]:
    inner = _constraints(shape)
    return [f"{what}: {' '.join(inner)}"] if inner else []


def _range(shape: Number) -> list[str]:
    # The bounds of 32 and 64 bits go without saying.
    minimum = None if shape.minimum in (-(2**31), -(2**63)) else shape.minimum
    maximum = None if shape.maximum in (2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1) else shape.maximum
    least = _number(minimum if shape.above is None else shape.above)
    most = _number(maximum if shape.below is None else shape.below)
    if least and most:
        return [f"{least} to {most}."]
    if least:
        return [f"At least {least}." if shape.above is None else f"More than {least}."]
    if most:
        return [f"At most {most}." if shape.below is None else f"Less than {most}."]
    return []


def _number(bound: float | None) -> str:
    if bound is None:
        return ""
    return str(int(bound)) if float(bound).is_integer() else str(bound)


def _size(least: int | None, most: int | None, what: str) -> list[str]:
    if least is not None and most is not None:
        return [f"{least} to {most} {what}."]
    if least is not None:
        return ["Not empty."] if least == 1 else [f"At least {least} {what}."]
    return [f"At most {most} {what}."] if most is not None else []


def _sentence(rule: Rule) -> str:
    text = rule.message[:1].upper() + rule.message[1:]
    return text if text.endswith(".") else f"{text}."


def _enum(enum: type[Enum], documentation: Documentation) -> Iterator[str]:
    texts = documentation.of_members(enum)
    yield f"## {enum.__name__}"
    yield ""
    text = documentation.of_type(enum)
    if text:
        yield text
        yield ""
    yield "| Value | |"
    yield "| --- | --- |"
    for member in enum:
        yield f"| `{member.value}` | {_cell(texts.get(member.name, ''))} |"
    yield ""


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return " and ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


def _anchor(heading: str) -> str:
    return heading.lower()


def _cell(text: str) -> str:
    """Text that fits a table's cell."""
    return text.replace("\n", " ").replace("|", "\\|")

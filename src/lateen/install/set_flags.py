"""`--set PATH=VALUE`: a path into the spec of an IstioOperator, and a value of the type that is wanted there.

Where the model says that a string is wanted, the text is taken as it is: `--set tag=1.20` is not 1.2. Elsewhere text
that looks like a number, a boolean or null is one (Istio: operator/pkg/util.ParseValue); quotes make it a string.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from lateen.api.schema.shape import Anything, Entries, Items, MessageShape, Shape, Text
from lateen.install.paths import Index, Key, Match, Path, PathError, format_path, parse_path, set_at

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]{1,3})?")


class SetFlag(msgspec.Struct, frozen=True):
    """One `--set`, read."""

    path: Path
    text: str

    @property
    def location(self) -> str:
        return format_path(self.path)


def parse_set_flag(flag: str) -> SetFlag:
    """`PATH=VALUE`. Raises PathError."""
    path, sign, text = _split(flag)
    if not sign:
        raise PathError(f"{flag!r}: expected PATH=VALUE")
    steps = parse_path(path.strip())
    if isinstance(steps[0], Key) and steps[0].name == "spec" and len(steps) > 1:
        steps = steps[1:]
    return SetFlag(steps, text)


def apply_set_flag(tree: dict[str, Any], flag: SetFlag, shape: MessageShape) -> None:
    """Sets the value in a spec of this shape. Raises PathError."""
    wanted = _shape_at(shape, flag.path)
    set_at(tree, flag.path, flag.text if isinstance(wanted, Text) else infer(flag.text))


def infer(text: str) -> Any:
    """A value of the type that the text looks like."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    if text == "null":
        return None
    if text in ("{}", "[]"):
        return {} if text == "{}" else []
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text


def _split(flag: str) -> tuple[str, str, str]:
    """At the first equals sign that no bracket surrounds: `[key:a=b].c=d`."""
    depth = 0
    escaped = False
    for at, character in enumerate(flag):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "[":
            depth += 1
        elif character == "]":
            depth -= 1
        elif character == "=" and depth <= 0:
            return flag[:at], "=", flag[at + 1 :]
    return flag, "", ""


def _shape_at(shape: Shape, path: Path) -> Shape | None:
    """What the model wants at a path; None where it does not say."""
    here: Shape | None = shape
    for step in path:
        match here, step:
            case MessageShape(), Key():
                here = next((f.shape for f in here.fields if step.name in (f.name, f.proto_name)), None)
            case Entries(), Key():
                here = here.value
            case Items(), Index() | Match():
                here = here.item
            case _:
                return None
    return None if isinstance(here, Anything) else here

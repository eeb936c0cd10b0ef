"""Go's fmt.Sprintf, for the verbs that templates use."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from lateen.injection.go_template.budget import bounded_length
from lateen.injection.go_template.errors import TemplateError
from lateen.injection.go_template.go_values import ZERO, kind_of, shown

_VERB: Final = re.compile(r"%(?P<flags>[-+# 0]*)(?P<width>\d+|\*)?(?:\.(?P<precision>\d+))?(?P<verb>.)?", re.DOTALL)
_NUMBERS: Final = "dboxXceEfFgGU"


def printf(form: str, *arguments: Any) -> str:
    """Raises TemplateError for a verb that is not known, and where arguments are missing or of the wrong kind."""
    left = list(arguments)

    def filled(match: re.Match[str]) -> str:
        verb = match["verb"]
        if verb == "%":
            return "%"
        if verb is None or match["width"] == "*":
            raise TemplateError(f"{match[0]!r} is not a verb")
        if not left:
            raise TemplateError(f"there is no argument for {match[0]!r}")
        text = _converted(match, verb, left.pop(0))
        width = bounded_length(int(match["width"] or 0))
        if "-" in match["flags"]:
            return text.ljust(width)
        if "0" in match["flags"] and verb in _NUMBERS:
            return text.zfill(width)
        return text.rjust(width)

    result = _VERB.sub(filled, str(form))
    if left:
        raise TemplateError(f"{len(left)} arguments too many for {form!r}")
    return result


def quoted(text: str) -> str:
    """As Go's strconv.Quote, which is JSON for what templates hold."""
    return json.dumps(text, ensure_ascii=False)


def _converted(match: re.Match[str], verb: str, value: Any) -> str:
    precision = match["precision"]
    match verb:
        case "v":
            return shown(value)
        case "s":
            text = shown(value)
            return text[: int(precision)] if precision else text
        case "q":
            return quoted(shown(value))
        case "t":
            if not isinstance(value, bool):
                raise TemplateError(f"%t wants a bool, not a {kind_of(value)}")
            return shown(value)
        case "T":
            return kind_of(value)
    if verb not in _NUMBERS:
        raise TemplateError(f"%{verb} is not a verb that is known")
    number = 0 if value is ZERO else value
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise TemplateError(f"%{verb} wants a number, not a {kind_of(value)}")
    return _number(verb, number, precision, "+" if "+" in match["flags"] else "")


def _number(verb: str, number: int | float, precision: str | None, sign: str) -> str:
    if verb in "eEfFgG":
        return format(float(number), f"{sign}.{bounded_length(int(precision or 6))}{verb}")
    if isinstance(number, float) and not number.is_integer():
        raise TemplateError(f"%{verb} wants a whole number")
    if verb == "c":
        return chr(int(number))
    if verb == "U":
        return f"U+{int(number):04X}"
    return format(int(number), f"{sign}{verb}")

"""The value validations of one schema node, compiled per type of value.

Source: k8s.io/kube-openapi `validate` (which check comes first, and how each failure reads).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import re2

from lateen.cluster.apiserver.schema.formats import FORMATS, INTEGER_RANGES
from lateen.cluster.apiserver.schema.schema import Schema
from lateen.cluster.apiserver.schema.value_equality import unique_key


class Problem(NamedTuple):
    """A cause without its field."""

    type: str
    message: str


Checks = Callable[[Any, str], Sequence[Problem]]
"""(value, path) -> what is wrong with it"""


def type_name(value: Any) -> str:
    """JSON schema's name for a value's type."""
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, list):
        return "array"
    return "null" if value is None else "number"


def compile_pattern(pattern: str) -> Any:
    """An RE2 expression, as Go has them. Raises ValueError with RE2's complaint."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        complaint = error.args[0] if error.args else pattern
        raise ValueError(complaint.decode() if isinstance(complaint, bytes) else str(complaint)) from None


def string_checks(schema: Schema) -> Checks:
    validations = schema.value_validations
    shortest, longest = validations.get("minLength"), validations.get("maxLength")
    pattern = validations.get("pattern")
    compiled = compile_pattern(pattern) if pattern else None
    # A format on a number concerns numbers only.
    has_format = FORMATS.get(schema.format) if schema.type in ("string", "") else None

    def check(value: str, path: str) -> Sequence[Problem]:
        if longest is not None and len(value) > longest:
            return (Problem("FieldValueTooLong", f"Too long: may not be more than {longest} bytes"),)
        if shortest is not None and len(value) < shortest:
            return (_invalid(value, f"{path} in body should be at least {shortest} chars long"),)
        found = []
        if compiled is not None and compiled.search(value) is None:
            found.append(_invalid(value, f"{path} in body should match '{pattern}'"))
        if has_format is not None and not has_format(value):
            detail = f"{path} in body must be of type {schema.format}: {_quoted(value)}"
            found.append(_invalid(value, detail)._replace(type="FieldValueTypeInvalid"))
        return found

    return check


def number_checks(schema: Schema) -> Checks:
    validations = schema.value_validations
    lowest, highest = validations.get("minimum"), validations.get("maximum")
    above, below = validations.get("exclusiveMinimum"), validations.get("exclusiveMaximum")
    factor = validations.get("multipleOf")
    representable = INTEGER_RANGES.get(schema.format or "int64") if schema.type == "integer" else None

    def check(value: float, path: str) -> Sequence[Problem]:
        found = []
        if representable is not None and not representable[0] <= value <= representable[1]:
            shape = f"with format {schema.format}" if schema.format else "(default format)"
            found.append(_invalid(value, f"Checked value must be of type integer {shape} in {path}"))
        if factor and not _is_multiple(value, factor):
            found.append(_invalid(value, f"{path} in body should be a multiple of {_number(factor)}"))
        if highest is not None and (value >= highest if below else value > highest):
            bound = "less than" if below else "less than or equal to"
            found.append(_invalid(value, f"{path} in body should be {bound} {_number(highest)}"))
        if lowest is not None and (value <= lowest if above else value < lowest):
            bound = "greater than" if above else "greater than or equal to"
            found.append(_invalid(value, f"{path} in body should be {bound} {_number(lowest)}"))
        return found

    return check


def list_checks(schema: Schema) -> Checks:
    validations = schema.value_validations
    fewest, most, unique = validations.get("minItems"), validations.get("maxItems"), validations.get("uniqueItems")

    def check(value: list[Any], path: str) -> Sequence[Problem]:
        found = []
        if fewest is not None and len(value) < fewest:
            found.append(_invalid(len(value), f"{path} in body should have at least {fewest} items"))
        if most is not None and len(value) > most:
            found.append(Problem("FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items"))
        if unique and len({unique_key(element) for element in value}) < len(value):
            found.append(_invalid("", f"{path} in body shouldn't contain duplicates"))
        return found

    return check


def object_checks(schema: Schema) -> Checks:
    fewest = schema.value_validations.get("minProperties")
    most = schema.value_validations.get("maxProperties")

    def check(value: dict[str, Any], path: str) -> Sequence[Problem]:
        if fewest is not None and len(value) < fewest:
            return (_invalid(len(value), f"{path} in body should have at least {fewest} properties"),)
        if most is not None and len(value) > most:
            return (Problem("FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items"),)
        return ()

    return check


def _invalid(value: Any, detail: str) -> Problem:
    return Problem("FieldValueInvalid", f"Invalid value: {_quoted(value)}: {detail}")


def _quoted(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _number(value: float) -> str:
    """As Go prints a float with `%v`: no fraction where there is none."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e21 else str(value)


def _is_multiple(value: float, factor: float) -> bool:
    if isinstance(value, int) and float(factor).is_integer():
        return value % int(factor) == 0
    quotient = value / factor
    return math.isclose(quotient, round(quotient), rel_tol=1e-9, abs_tol=1e-9)

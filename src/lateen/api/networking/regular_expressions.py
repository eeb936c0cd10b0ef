"""Regular expressions as Envoy judges them: RE2 over bytes (Latin-1), with a limit on what they compile to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import re2

from lateen.api.schema.fault import Fault, error, warning

_LENGTH: Final = 1024
_SIZE: Final = 32_768
"""Largest RE2 program that Istio's bootstraps let their Envoys take (runtime `re2.max_program_size.error_level`)."""
_SIZE_BY_DEFAULT: Final = 100
"""Largest that an Envoy takes whose bootstrap does not say."""


def regex_faults(path: str, regex: str) -> Iterator[Fault]:
    """An Envoy that refuses one expression refuses all of the route configuration around it: better that we do."""
    if not regex:
        yield error(path, "must not be empty")
        return
    if len(regex) > _LENGTH:
        yield error(path, f"must have at most {_LENGTH} characters, not {len(regex)}")
        return
    try:
        size = _compiled(regex).programsize
    except re2.error as fault:
        yield error(path, f"must be an RE2 expression, not {regex!r}: {_text(fault)}")
        return
    if size > _SIZE:
        yield error(path, f"must compile to an RE2 program of at most {_SIZE} instructions, not {size}")
    elif size > _SIZE_BY_DEFAULT:
        yield warning(
            path,
            f"compiles to an RE2 program of {size} instructions: Envoys refuse more than {_SIZE_BY_DEFAULT} unless "
            "their bootstrap sets the runtime key re2.max_program_size.error_level",
        )


def wrong_substitution(regex: str, substitution: str) -> str:
    """What is wrong with a rewrite of what an expression matches: a group it does not have, a lone backslash.

    Nothing ("") also when it is the expression that is wrong.
    """
    try:
        groups = _compiled(regex).groups
    except re2.error:
        return ""
    rest = iter(substitution)
    for character in rest:
        if character != "\\":
            continue
        following = next(rest, "")
        if following.isascii() and following.isdigit():
            if int(following) > groups:
                return f"refers to group {following}, but {regex!r} has {groups}"
        elif following != "\\":
            return f"must have a digit or a backslash after a backslash: {substitution!r}"
    return ""


def _compiled(regex: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    # So does Envoy: what it matches may be any bytes. `\x{100}` is wrong there.
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(regex.encode(errors="replace"), options)


def _text(fault: re2.error) -> str:
    said = fault.args[0] if fault.args else fault
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)

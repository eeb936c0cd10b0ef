"""Values of environment variables, read strictly. Pure."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["BadEnvironment", "flag", "number"]


class BadEnvironment(ValueError):
    """Says which variable, what was expected, and what came."""


def flag(environment: Mapping[str, str], name: str, default: bool) -> bool:
    """As Go reads booleans. Raises BadEnvironment."""
    text = environment.get(name, "").lower()
    if text in ("1", "t", "true"):
        return True
    if text in ("0", "f", "false"):
        return False
    if text:
        raise BadEnvironment(f"{name}: {text[:100]!r} is not true or false")
    return default


def number(environment: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    """Raises BadEnvironment."""
    text = environment.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)) or not least <= int(text) <= most:
        raise BadEnvironment(f"{name}: {text[:100]!r} is not a number from {least} to {most}")
    return int(text)

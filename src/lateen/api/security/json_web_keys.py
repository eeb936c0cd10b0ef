"""The form of a JSON Web Key Set (RFC 7517)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

_PARAMETERS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "oct": ("k",)}
"""What a key of each type must have."""


def wrong_key_set(text: str) -> str:
    """What is wrong with a key set, or with a single key in its place; nothing ("") if it is good."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as problem:
        return f"expected a JSON Web Key Set, got what is not JSON: {problem}"
    if not isinstance(value, dict):
        return "expected a JSON Web Key Set, an object with `keys`"
    if "keys" not in value:
        return _wrong_key(value, "the key") if "kty" in value else "expected a JSON Web Key Set, an object with `keys`"
    keys = value["keys"]
    if not isinstance(keys, list):
        return "keys: expected a list"
    for index, key in enumerate(keys):
        wrong = _wrong_key(key, f"keys[{index}]")
        if wrong:
            return wrong
    return ""


def _wrong_key(key: Any, where: str) -> str:
    kind = key.get("kty") if isinstance(key, dict) else None
    if not isinstance(kind, str) or kind not in _PARAMETERS:
        return f"{where}: expected a key whose `kty` is one of {', '.join(_PARAMETERS)}"
    for name in _PARAMETERS[kind]:
        if not isinstance(key.get(name), str) or not key[name]:
            return f"{where}: a key of type {kind} needs {name!r}"
    return ""

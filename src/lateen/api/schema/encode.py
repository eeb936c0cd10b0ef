"""Messages back into JSON as users write it: what is at its default is left out."""

from __future__ import annotations

from typing import Any

import msgspec

from lateen.api.schema.duration import Duration


def encode_duration(value: Any) -> Any:
    """msgspec's hook for the one type it does not know."""
    if isinstance(value, Duration):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} is no part of a message")


def encode(message: msgspec.Struct) -> dict[str, Any]:
    """A message as plain data; decoding it gives an equal message."""
    found: dict[str, Any] = msgspec.to_builtins(message, enc_hook=encode_duration)
    return found

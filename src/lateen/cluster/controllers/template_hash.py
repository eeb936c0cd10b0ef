"""Names derived from what a template says: the `pod-template-hash` and the hashes of controller revisions."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels, no 0, 1 and 3: a hash must not spell a word (apimachinery `rand.SafeEncodeString`)."""


def template_hash(value: Any, collisions: int = 0) -> str:
    """Ten letters that stand for a JSON value; `collisions` gives another name to the same value."""
    digest = hashlib.sha256(msgspec.json.encode(value, order="deterministic") + collisions.to_bytes(4, "big")).digest()
    number = int.from_bytes(digest[:8], "big")
    letters = []
    for _ in range(10):
        number, letter = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[letter])
    return "".join(letters)

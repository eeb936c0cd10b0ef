"""Names for objects that ask for a generated one (`metadata.generateName`)."""

from __future__ import annotations

import secrets

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no look-alikes, so that no words come out (k8s.io/apimachinery `util/rand`)."""
_SUFFIX = 5
_MAX_PREFIX = 63 - _SUFFIX

ATTEMPTS = 8
"""How many names are tried before a collision is reported."""


def generate_name(prefix: str) -> str:
    """The prefix (cut to what fits a DNS label) and a random suffix of five characters."""
    return prefix[:_MAX_PREFIX] + "".join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX))

"""Names for objects that ask for a generated one (`metadata.generateName`)."""

from __future__ import annotations

from lateen.cluster.safe_alphabet import random_suffix

_SUFFIX = 5
_MAX_PREFIX = 63 - _SUFFIX

ATTEMPTS = 8
"""How many names are tried before a collision is reported."""


def generate_name(prefix: str) -> str:
    """The prefix (cut to what fits a DNS label) and a random suffix of five characters."""
    return prefix[:_MAX_PREFIX] + random_suffix(_SUFFIX)

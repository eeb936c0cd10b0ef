"""The letters of generated names: no vowels and no look-alikes, so that no words come out.

Source: k8s.io/apimachinery `util/rand` (`SafeEncodeString`).
"""

from __future__ import annotations

import secrets

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def random_suffix(length: int = 5) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def spelled(digits: str) -> str:
    """The text of a number in these letters: each character stands for one of them."""
    return "".join(ALPHABET[character % len(ALPHABET)] for character in digits.encode())

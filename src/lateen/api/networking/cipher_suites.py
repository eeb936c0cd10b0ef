"""The cipher suites of TLS 1.2 and below that a proxy's TLS library knows."""

from __future__ import annotations

CIPHER_SUITES = frozenset(
    {
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA",
        "ECDHE-RSA-AES256-SHA",
        "ECDHE-PSK-AES128-CBC-SHA",
        "ECDHE-PSK-AES256-CBC-SHA",
        "ECDHE-PSK-CHACHA20-POLY1305",
        "PSK-AES128-CBC-SHA",
        "PSK-AES256-CBC-SHA",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "AES128-SHA",
        "AES256-SHA",
        "DES-CBC3-SHA",
    }
)
"""Names as the TLS library has them. `[A|B]` puts suites on a level; `ALL` is all of them."""


def is_known(suite: str) -> bool:
    """Whether a suite, or every one of a group `[A|B]`, is known."""
    if suite == "ALL":
        return True
    if suite.startswith("[") and suite.endswith("]"):
        return all(each in CIPHER_SUITES for each in suite[1:-1].split("|"))
    return suite in CIPHER_SUITES


def usable(suites: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are known, each once, in order. The others are told of by validation."""
    return tuple(suite for suite in dict.fromkeys(suites) if is_known(suite))

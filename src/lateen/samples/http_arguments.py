"""Arguments of command lines that are about HTTP requests; each raises argparse.ArgumentTypeError."""

from __future__ import annotations

import argparse
import re
from urllib.parse import urlsplit


def url(text: str) -> str:
    """`http://...` or `https://...`."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"{text!r}: expected http://... or https://...")
    return text


def header(text: str) -> tuple[str, str]:
    """`NAME: VALUE`."""
    name, colon, value = text.partition(":")
    if not colon or not re.fullmatch(r"[A-Za-z0-9-]+", name) or not value.strip().isprintable():
        raise argparse.ArgumentTypeError(f"{text!r}: expected NAME: VALUE")
    return name, value.strip()

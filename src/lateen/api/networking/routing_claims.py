"""Claims of a JSON web token as pseudo headers of VirtualService matches: `@request.auth.claims.group` and the like."""

from __future__ import annotations

_HEADER = "@request.auth.claims"


def routing_claim(header: str) -> tuple[str, ...] | None:
    """The path to the claim that a header name stands for: `.a.b` or `[a][b]`; None for ordinary headers."""
    if not header.lower().startswith(_HEADER):
        return None
    path = header[len(_HEADER) :]
    if path.startswith(".") and len(path) > 1:
        return tuple(path[1:].split("."))
    if path.startswith("[") and path.endswith("]") and len(path) > 2:
        return tuple(path[1:-1].split("]["))
    return None

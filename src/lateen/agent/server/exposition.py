"""Prometheus' text, made ready for merging while it passes: in pieces of whole lines, in bounded memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS: Final = "application/openmetrics-text; version={}; charset=utf-8"
END: Final = b"# EOF\n"
"""The last line of OpenMetrics."""

MAX_LINE: Final = 1024 * 1024


class TooMuch(OSError):
    """More than is taken; says of what."""


def with_istio_names(lines: bytes) -> bytes:
    """Envoy puts `envoy_` before every name; Istio's metrics are known without. Whole lines go in and come out."""
    if b"envoy_istio_" not in lines:
        return lines
    found = b"\n" + lines
    found = found.replace(b"\nenvoy_istio_", b"\nistio_")
    for word in (b"TYPE", b"HELP"):
        found = found.replace(b"\n# %b envoy_istio_" % word, b"\n# %b istio_" % word)
    return found[1:]


def without_end(lines: bytes) -> bytes:
    """Without the line that ends OpenMetrics, since more may follow, and without empty ones, which it does not know."""
    found = b"\n" + lines.replace(b"\r\n", b"\n")
    for line in (b"# EOF", b""):
        # Again, since neighbours share an end of line.
        while b"\n%b\n" % line in found:
            found = found.replace(b"\n%b\n" % line, b"\n")
    return found[1:]


async def whole_lines(pieces: AsyncIterator[bytes], most: int) -> AsyncGenerator[bytes, None]:
    """The same bytes, cut at ends of lines; a last line without an end gets one.

    Raises TooMuch beyond `most` bytes, and what `pieces` raises; a line that was begun is then left out.
    """
    begun = b""
    total = 0
    async for piece in pieces:
        total += len(piece)
        if total > most:
            raise TooMuch(f"more than {most} bytes of metrics")
        lines, end, rest = piece.rpartition(b"\n")
        if end:
            yield begun + lines + end
            begun = rest
        else:
            begun += piece
            if len(begun) > MAX_LINE:
                raise TooMuch(f"a line of more than {MAX_LINE} bytes")
    if begun:
        yield begun + b"\n"


def accepted(accept: str) -> str:
    """What of a scraper's Accept header is text: that is all that can be merged."""
    kinds = [kind.strip() for kind in accept.split(",")]
    names = ("application/openmetrics-text", "text/plain", "text/*", "*/*")
    return ",".join(kind for kind in kinds if kind.partition(";")[0].strip().lower() in names)


def form_of(content_type: str) -> str:
    """The content type of an answer that goes on from one of `content_type`."""
    kind, *parameters = (part.strip() for part in content_type.lower().split(";"))
    if kind != "application/openmetrics-text":
        return TEXT
    given = dict(parameter.partition("=")[::2] for parameter in parameters)
    version = given.get("version", "").strip('"')
    return OPEN_METRICS.format(version if version in ("0.0.1", "1.0.0") else "0.0.1")

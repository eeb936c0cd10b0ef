"""Image references: `[registry/]repository[:tag][@digest]`, completed as every container engine does it.

Source: the distribution reference grammar and Docker's familiar names.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")


class ReferenceError(ValueError):
    """Not an image reference."""


@dataclass(frozen=True, slots=True)
class Reference:
    """`repository` has its registry: `docker.io/library/busybox`."""

    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        return self.repository + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def _split(text: str) -> tuple[str, str, str]:
    rest, _, digest = text.partition("@")
    repository, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = rest, ""
    return repository, tag, digest


def _with_registry(repository: str) -> str:
    first, slash, _ = repository.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return repository
    return f"docker.io/{repository}" if slash else f"docker.io/library/{repository}"


def parse_reference(text: str) -> Reference:
    """`busybox` -> `docker.io/library/busybox:latest`. Raises ReferenceError."""
    repository, tag, digest = _split(text)
    if not _REPOSITORY.fullmatch(repository) or (tag and not _TAG.fullmatch(tag)):
        raise ReferenceError("invalid reference format")
    if digest and not _DIGEST.fullmatch(digest):
        raise ReferenceError("invalid reference format")
    if not tag and not digest:
        tag = "latest"
    return Reference(_with_registry(repository), tag, digest)


def matches(pattern: str, reference: Reference) -> bool:
    """Whether a catalog's pattern means this image.

    A pattern is a reference whose parts may have `*` and `?`; one without tag means every tag; one that starts with
    `*` means every registry.
    """
    repository, tag, digest = _split(pattern)
    if not repository.startswith("*"):
        repository = _with_registry(repository)
    return (
        fnmatch.fnmatchcase(reference.repository, repository)
        and (not tag or fnmatch.fnmatchcase(reference.tag, tag))
        and (not digest or digest == reference.digest)
    )

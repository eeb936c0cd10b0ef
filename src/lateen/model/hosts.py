"""Host names: short names, wildcards, and which of several patterns is the closest.

A pattern is a host name, or `*` followed by a suffix (`*.example.com`, `*-api.example.com`, `*`). It stands for the set
of all host names it matches; a wildcard stands for any text that is not empty. Names are compared as written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence


def is_wildcard(pattern: str) -> bool:
    return pattern.startswith("*")


def covers(pattern: str, host: str) -> bool:
    """Whether every name that `host` (itself a name or a pattern) stands for is matched by `pattern`."""
    if pattern == host:
        return True
    if not is_wildcard(pattern):
        return False
    suffix = pattern[1:]
    if is_wildcard(host):
        return host[1:].endswith(suffix)
    return len(host) > len(suffix) and host.endswith(suffix)


class Wildcards:
    """Many wildcards, to find those that cover a host without trying each. Immutable."""

    __slots__ = ("_lengths", "_patterns")

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = frozenset(pattern for pattern in patterns if is_wildcard(pattern))
        self._lengths = sorted({len(pattern) - 1 for pattern in self._patterns}, reverse=True)

    def covering(self, host: str) -> list[str]:
        """Those that cover a host (a name or a pattern, itself included), the closest first."""
        if not self._patterns:
            return []
        wide = is_wildcard(host)
        text = host[1:] if wide else host
        longest = len(text) if wide else len(text) - 1
        found = [f"*{text[len(text) - length :]}" for length in self._lengths if length <= longest]
        return [pattern for pattern in found if pattern in self._patterns]


def backwards(names: Iterable[str]) -> list[str]:
    """Host names to look for suffixes in: see `covers_some`."""
    return sorted({name[::-1] for name in names})


def covers_some(wildcard: str, names: Sequence[str]) -> bool:
    """Whether a wildcard covers one of the names (made by `backwards`) other than itself."""
    suffix = wildcard[:0:-1]
    at = bisect_right(names, suffix)
    if at < len(names) and names[at] == wildcard[::-1]:
        at += 1
    return at < len(names) and names[at].startswith(suffix)


def overlaps(one: str, other: str) -> bool:
    """Whether some name is matched by both patterns."""
    return covers(one, other) or covers(other, one)


def specificity(pattern: str) -> tuple[bool, int, str]:
    """Sorts patterns, the closest first: names before wildcards, then the longer, then by the alphabet."""
    return (is_wildcard(pattern), -len(pattern), pattern)


def closest(host: str, patterns: Iterable[str]) -> str | None:
    """The closest of the patterns that cover a host."""
    return min((pattern for pattern in patterns if covers(pattern, host)), key=specificity, default=None)


def candidates(host: str) -> tuple[str, ...]:
    """Every pattern on label boundaries that covers a host, the closest first: what to look up in an index of hosts."""
    labels = host.removeprefix("*.").split(".")
    if host == "*":
        return ("*",)
    first = 0 if is_wildcard(host) else 1
    wider = tuple(f"*.{'.'.join(labels[start:])}" for start in range(first, len(labels)))
    return (*(() if is_wildcard(host) else (host,)), *wider, "*")


def resolved(name: str, namespace: str, domain: str) -> str:
    """The full name of a host as a resource in `namespace` writes it: a name without dots is a service there."""
    if "." in name or is_wildcard(name) or ":" in name or not name:
        return name
    return kubernetes_host(name, namespace, domain)


def kubernetes_host(name: str, namespace: str, domain: str) -> str:
    """The host of a Kubernetes Service."""
    return f"{name}.{namespace}.svc.{domain}"


def bucket(host: str, namespace: str = "") -> str | tuple[str, str]:
    """Where to look for a host in an index: `(namespace, name)` for what may be a Kubernetes Service.

    A name without dots is relative to `namespace`. Whether the rest of the host is the mesh's domain is left open.
    """
    labels = host.split(".", 3)
    if len(labels) == 1 and namespace and not is_wildcard(host) and ":" not in host:
        return (namespace, host)
    return (labels[1], labels[0]) if len(labels) == 4 and labels[2] == "svc" and labels[0] != "*" else host


def kubernetes_name(host: str, domain: str) -> tuple[str, str] | None:
    """The name and namespace of the Kubernetes Service that a host can only be; None when it is none's."""
    labels = host.split(".", 2)
    if len(labels) != 3 or labels[2] != f"svc.{domain}":
        return None
    name, namespace, _ = labels
    return (name, namespace) if name and namespace and not is_wildcard(name) else None

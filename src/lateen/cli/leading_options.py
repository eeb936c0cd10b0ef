"""Options about where a command works may come before its name, as istioctl's may: `lateen -n shop pc c web`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_LOCATING: Final = frozenset(
    {"-n", "--namespace", "-i", "--istioNamespace", "-c", "--kubeconfig", "--context"}
)  # fmt: skip


def moved(arguments: Sequence[str]) -> list[str]:
    """The same, with those options behind the command, which knows them (or says that it does not)."""
    count = 0
    while count < len(arguments):
        name, equals, _ = arguments[count].partition("=")
        if name not in _LOCATING:
            break
        count += 1 if equals else 2
    if not 0 < count < len(arguments):
        return list(arguments)
    rest = list(arguments[count:])
    end = rest.index("--") if "--" in rest else len(rest)
    return [*rest[:end], *arguments[:count], *rest[end:]]

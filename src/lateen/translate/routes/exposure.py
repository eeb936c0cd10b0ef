"""Which hosts of VirtualServices a gateway's servers expose, without trying each with each."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lateen.model import hosts
from lateen.model.gateways import ServerHost
from lateen.model.virtual_services import Outline


class Exposed(NamedTuple):
    """A host of a VirtualService that a server exposes."""

    server: int
    """Which one."""
    host: str
    """Of two that overlap the narrower."""


class Exposure:
    """The hosts of servers of one Gateway."""

    def __init__(self, exposed: Iterable[tuple[int, ServerHost]]) -> None:
        self._servers: dict[str, list[tuple[int, str]]] = {}
        """By host: the servers, each with the namespace of the VirtualServices that may bind (empty for any)."""
        for server, host in exposed:
            self._servers.setdefault(host.name, []).append((server, host.namespace))
        self._wildcards = hosts.Wildcards(self._servers)
        self._backwards = hosts.backwards(self._servers)

    def of(self, one: Outline) -> list[Exposed]:
        """What is exposed of a VirtualService, each once, sorted."""
        return sorted({
            Exposed(server, shared)
            for routed in one.hosts
            for name, shared in self._overlaps(routed)
            for server, namespace in self._servers[name]
            if namespace in ("", one.key.namespace)
        })  # fmt: skip

    def _overlaps(self, routed: str) -> Iterator[tuple[str, str]]:
        """The hosts of servers that overlap a routed one, each with the narrower of the two."""
        if routed in self._servers:
            yield routed, routed
        for pattern in self._wildcards.covering(routed):
            if pattern != routed:
                yield pattern, routed
        if hosts.is_wildcard(routed):
            for name in self._below(routed):
                if name != routed and hosts.covers(routed, name):
                    yield name, name

    def _below(self, wildcard: str) -> Iterator[str]:
        """The hosts of servers that end like a wildcard."""
        suffix = wildcard[:0:-1]
        for at in range(bisect_left(self._backwards, suffix), len(self._backwards)):
            if not self._backwards[at].startswith(suffix):
                return
            yield self._backwards[at][::-1]

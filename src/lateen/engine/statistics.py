"""Counters of what the engine did: the figures that tests assert and `/debug/engine` shows."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class QueryStatistics:
    """Of one query, or of all together."""

    hits: int = 0
    """Demands answered without any checking."""
    verified: int = 0
    """Stale results found right without recomputing: nothing they read had changed."""
    computed: int = 0
    """Runs of the query's function."""
    cutoffs: int = 0
    """Recomputations that gave the same result, so that readers were spared."""

    def copy(self) -> QueryStatistics:
        return QueryStatistics(self.hits, self.verified, self.computed, self.cutoffs)


@dataclass(slots=True)
class Statistics:
    """A snapshot of the counters since the engine was made, and of its present size."""

    revision: int = 0
    nodes: int = 0
    """Results held now."""
    sources: int = 0
    """Inputs that some result depends on."""
    observed: int = 0
    """Results that somebody observes."""
    values: int = 0
    """Input values held."""
    marked: int = 0
    """Results marked stale by changes."""
    dropped: int = 0
    """Results dropped because nobody demanded them any more."""
    total: QueryStatistics = field(default_factory=QueryStatistics)
    queries: dict[str, QueryStatistics] = field(default_factory=dict)

"""The access logger that counts (envoy.extensions.access_loggers.stats.v3), on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from envoy.config.accesslog.v3 import accesslog_pb2
from xds.type.matcher.v3 import matcher_pb2

from lateen.translate.newer_types import StatsLoggerConfig
from lateen.translate.wire import any_type, embedded, text, unsigned

NAME: Final = "envoy.access_loggers.stats"
Unit = StatsLoggerConfig.Histogram.Unit

# Numbers of fields. Config: histograms 3, counters 4, stats_scope 6. Scope: max_counters 1, max_histograms 3,
# enable_eviction 4, prefix 5, sharing_name 6. Histogram: stat 1, unit 2, value_format 3. Counter: stat 1,
# value_format 2, value_fixed 3. Stat: name 1, tags 2. Tag: name 1, value_format 2, rules 3.

_MAX_COUNTERS: Final = 10_000
_MAX_HISTOGRAMS: Final = 15_000
"""Bounds of what clients can make a proxy hold: 5,000 sets of labels of HTTP (about 65 MB). What is beyond is not
counted until unused ones have been evicted."""
_SCOPE: Final = b"".join(
    (
        embedded(1, unsigned(1, _MAX_COUNTERS)),
        embedded(3, unsigned(1, _MAX_HISTOGRAMS)),
        unsigned(4, 1),
        text(5, "istio"),
        # The same in every listener: counters go on when a listener is replaced, and all listeners count in one place.
        text(6, "istio"),
    )
)
_INPUT: Final = "envoy.extensions.matching.common_inputs.stats.v3.StatTagValueInput"
_TRANSFORM: Final = "envoy.extensions.matching.actions.transform_stat.v3.TransformStat"


class Tag(NamedTuple):
    name: str
    value: str
    """A literal, or one substitution command."""
    rules: bytes = b""
    """A serialised Matcher that replaces values."""


class Counter(NamedTuple):
    name: str
    """After the prefix `istio_`."""
    value: str = ""
    """A substitution command; empty: one each time."""


class Histogram(NamedTuple):
    name: str
    """After the prefix `istio_`."""
    value: str
    unit: Any


def stats_logger(
    tags: Sequence[Tag],
    counters: Sequence[Counter],
    histograms: Sequence[Histogram] = (),
    filter: Any | None = None,
) -> bytes:
    """A serialised `AccessLog`; with an `AccessLogFilter` it counts only what that lets through."""
    tagged = b"".join(embedded(2, text(1, tag.name) + text(2, tag.value) + _rules(tag.rules)) for tag in tags)
    config = b"".join(
        [
            *[
                embedded(3, embedded(1, text(1, each.name) + tagged) + unsigned(2, each.unit) + text(3, each.value))
                for each in histograms
            ],
            *[embedded(4, embedded(1, text(1, each.name) + tagged) + _amount(each)) for each in counters],
            embedded(6, _SCOPE),
        ]
    )
    log = accesslog_pb2.AccessLog(name=NAME)
    log.typed_config.type_url = f"type.googleapis.com/{StatsLoggerConfig.DESCRIPTOR.full_name}"
    log.typed_config.value = config
    if filter is not None:
        log.filter.CopyFrom(filter)
    return bytes(log.SerializeToString(deterministic=True))


def replaced(values: Mapping[str, str], *, by_prefix: bool = False, otherwise: str | None = None) -> bytes:
    """Rules that replace a tag's values: these, or those that begin with these; and all others, if told so."""
    matcher = matcher_pb2.Matcher()
    tree = matcher.matcher_tree
    tree.input.name = "value"
    tree.input.typed_config.type_url = f"type.googleapis.com/{_INPUT}"
    replacements = tree.prefix_match_map if by_prefix else tree.exact_match_map
    for value, replacement in values.items():
        _replace(replacements.map[value].action, replacement)
    if otherwise is not None:
        _replace(matcher.on_no_match.action, otherwise)
    return bytes(matcher.SerializeToString(deterministic=True))


def _replace(action: Any, value: str) -> None:
    # TransformStat: update_tag 3. UpdateTag: new_tag_value 2.
    action.name = "replace"
    action.typed_config.MergeFromString(any_type(_TRANSFORM) + embedded(2, embedded(3, text(2, value))))


def _rules(rules: bytes) -> bytes:
    return embedded(3, rules) if rules else b""


def _amount(counter: Counter) -> bytes:
    return text(2, counter.value) if counter.value else embedded(3, unsigned(1, 1))

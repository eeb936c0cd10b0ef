"""Which statistics Envoy keeps, and which parts of their names are labels: what dashboards rely on. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lateen.agent.proxy_config import BadProxyConfig, ProxyConfig, duration

__all__ = ["BadStats", "StatsSettings", "stats_config", "stats_settings"]

_TAGS: Final = "sidecar.istio.io/extraStatTags"
_PREFIXES: Final = "sidecar.istio.io/statsInclusionPrefixes"
_SUFFIXES: Final = "sidecar.istio.io/statsInclusionSuffixes"
_REGEXPS: Final = "sidecar.istio.io/statsInclusionRegexps"
_BUCKETS: Final = "sidecar.istio.io/statsHistogramBuckets"
_FLUSH: Final = "sidecar.istio.io/statsFlushInterval"
_EVICTION: Final = "sidecar.istio.io/statsEvictionInterval"

_FLUSH_BY_DEFAULT: Final = 5000
_TOO_LONG_TO_FLUSH: Final = 300_000
"""Envoy's own default and limit, in milliseconds."""
_EVICTION_BY_DEFAULT: Final = 12_600_000
"""Milliseconds. Envoy wants a multiple of the flush interval: this is one of all usual ones to 5 minutes, since
bootstrapOverride may set that, too."""

_ALWAYS_PREFIXES: Final = ("cluster_manager", "listener_manager", "server", "cluster.xds-grpc", "wasm")
"""Readiness needs the first three."""
_ALWAYS_SUFFIXES: Final = ("rbac.allowed", "rbac.denied", "shadow_allowed", "shadow_denied")
_CONNECTIONS: Final = "downstream_cx_active"
"""What draining until nobody is connected looks at."""
_ALWAYS_REGEXPS: Final = (r"vhost\..*\.route\..*",)
"""Statistics of routes that have a name of their own."""
_STANDARD_PREFIXES: Final = ("reporter=", "component", "istio")

# Within a statistic's name, that of a cluster or connection manager ends with a semicolon, or else its first dot.
_NAMED: Final = r"((.+(?=;\.)|[^.;]+);?\.)"
_LISTENER: Final = r"(([_.\d]+|[_\[\]a-fA-F\d.:]+)\.)"
_LABELS: Final = (
    ("cluster_name", rf"^cluster\.{_NAMED}"),
    ("tcp_prefix", rf"^tcp\.{_NAMED}"),
    ("response_code", r"_rq(_(\d{3}))$"),
    ("response_code_class", r"_rq(_(\dxx))$"),
    ("http_conn_manager_listener_prefix", rf"^listener(?=\.).*?\.http\.{_NAMED}"),
    ("http_conn_manager_prefix", rf"^http\.{_NAMED}"),
    ("listener_address", rf"^listener\.{_LISTENER}"),
    ("mongo_prefix", r"^mongo\.((.+?);?\.)(?:collection|cmd|cx_|op_|delays_|decoding_)"),
)
_LAST_LABELS: Final = (
    ("cache", r"(cache\.(.+?)\.)"),
    ("component", r"(component\.(.+?)\.)"),
    ("tag", r"(tag\.(.+?);\.)"),
    ("wasm_filter", r"(wasm_filter\.(.+?)\.)"),
    ("authz_enforce_result", r"rbac(\.(allowed|denied))"),
    ("authz_dry_run_action", r"(\.istio_dry_run_(allow|deny)_)"),
    ("authz_dry_run_result", r"(\.shadow_(allowed|denied))"),
)
_DOCUMENTED_ADDRESS: Final = "{pod_ip}"


class BadStats(ValueError):
    """An annotation about statistics cannot be read; says which."""


class StatsSettings(NamedTuple):
    """What is kept besides what always is."""

    tags: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    regexps: tuple[str, ...] = ()
    buckets: tuple[tuple[str, tuple[float, ...]], ...] = ()
    """Bounds of histograms' buckets, by prefix of their names."""
    flush: int = _FLUSH_BY_DEFAULT
    """Milliseconds after which histograms are up to date."""
    eviction: int = _EVICTION_BY_DEFAULT
    """Milliseconds for which a statistic with labels of its own (of one peer, say) stays that nobody counts any more: a
    multiple of `flush`."""


def stats_settings(
    config: ProxyConfig, annotations: Mapping[str, str], addresses: tuple[str, ...], *, count_connections: bool
) -> StatsSettings:
    """An annotation goes before ProxyConfig; `{pod_ip}` stands for each of the pod's addresses. Raises BadStats."""

    def wished(annotation: str, configured: tuple[str, ...]) -> tuple[str, ...]:
        listed = _split(annotations[annotation]) if annotations.get(annotation) else configured
        return tuple(
            pattern.replace(_DOCUMENTED_ADDRESS, address)
            for pattern in listed
            for address in (addresses if _DOCUMENTED_ADDRESS in pattern else ("",))
        )

    suffixes = wished(_SUFFIXES, config.inclusion_suffixes)
    return StatsSettings(
        tuple(dict.fromkeys((*config.extra_stat_tags, *_split(annotations.get(_TAGS, ""))))),
        wished(_PREFIXES, config.inclusion_prefixes),
        (*suffixes, _CONNECTIONS) if count_connections else suffixes,
        wished(_REGEXPS, config.inclusion_regexps),
        _buckets(annotations.get(_BUCKETS, "")),
        *_intervals(annotations),
    )


def stats_config(settings: StatsSettings) -> dict[str, Any]:
    """envoy.config.metrics.v3.StatsConfig."""
    labels = (*_LABELS, *((tag, rf"({tag}=\.=(.*?);\.;)") for tag in settings.tags), *_LAST_LABELS)
    patterns = [
        *({"prefix": each} for each in (*settings.prefixes, *_ALWAYS_PREFIXES, *_STANDARD_PREFIXES)),
        *({"suffix": each} for each in (*settings.suffixes, *_ALWAYS_SUFFIXES)),
        *({"safe_regex": {"regex": each}} for each in (*settings.regexps, *_ALWAYS_REGEXPS)),
    ]
    found: dict[str, Any] = {
        "use_all_default_tags": False,
        "stats_tags": [{"tag_name": name, "regex": regex} for name, regex in labels],
        "stats_matcher": {"inclusion_list": {"patterns": patterns}},
    }
    if settings.buckets:
        found["histogram_bucket_settings"] = [
            {"match": {"prefix": prefix}, "buckets": list(bounds)} for prefix, bounds in settings.buckets
        ]
    return found


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)


def _intervals(annotations: Mapping[str, str]) -> tuple[int, int]:
    flush = _milliseconds(annotations, _FLUSH) or _FLUSH_BY_DEFAULT
    if flush >= _TOO_LONG_TO_FLUSH:
        raise BadStats(f"annotation {_FLUSH}: {annotations[_FLUSH]} is not shorter than 5m")
    eviction = _milliseconds(annotations, _EVICTION)
    if not eviction:
        return flush, _EVICTION_BY_DEFAULT + -_EVICTION_BY_DEFAULT % flush
    if eviction % flush:
        raise BadStats(
            f"annotation {_EVICTION}: {annotations[_EVICTION]} is no multiple of {flush / 1000:g} s ({_FLUSH})"
        )
    return flush, eviction


def _milliseconds(annotations: Mapping[str, str], name: str) -> int:
    """0 where there is no such annotation."""
    if not annotations.get(name):
        return 0
    try:
        found = duration(f"annotation {name}", annotations[name]) * 1000
    except BadProxyConfig as problem:
        raise BadStats(str(problem)) from None
    if found < 1:
        raise BadStats(f"annotation {name}: {annotations[name]} is shorter than 1ms")
    return round(found)


def _buckets(text: str) -> tuple[tuple[str, tuple[float, ...]], ...]:
    if not text:
        return ()
    try:
        found = json.loads(text)
        return tuple(sorted((str(prefix), tuple(map(float, bounds))) for prefix, bounds in found.items()))
    except (ValueError, TypeError, AttributeError):
        raise BadStats(f'annotation {_BUCKETS}: {text[:100]!r} is not of the form {{"PREFIX": [1, 5, 10]}}') from None

"""Whether the annotations that concern injection make sense: one check each, with located faults."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from lateen.api.mesh.proxy_config_validation import wrong_host_port
from lateen.api.networking.regular_expressions import regex_faults
from lateen.api.schema.duration import parse_duration
from lateen.api.schema.fault import Fault, Severity, error, warning
from lateen.injection.names import HEALTH_PORT, PROMETHEUS_PORT, PROXY_CONFIG, TEMPLATES
from lateen.injection.pod_settings import ImageType
from lateen.injection.texts import (
    words,
    wrong_agent_levels,
    wrong_all_or_networks,
    wrong_all_or_ports,
    wrong_boolean,
    wrong_component_levels,
    wrong_image,
    wrong_interfaces,
    wrong_levels,
    wrong_networks,
    wrong_port,
    wrong_ports,
    wrong_quantity,
    wrong_unsigned,
)

_SIDECAR: Final = "sidecar.istio.io/"
_TRAFFIC: Final = "traffic.sidecar.istio.io/"
_READINESS: Final = "readiness.status.sidecar.istio.io/"
_FLUSH: Final = f"{_SIDECAR}statsFlushInterval"
_EVICTION: Final = f"{_SIDECAR}statsEvictionInterval"

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_PREFIX_LIST: Final = re.compile(r"[^\s\",]+(?:\s*,\s*[^\s\",]+)*")
_TAKEN: Final = frozenset((15000, 15001, 15006, 15008, HEALTH_PORT, 15053, PROMETHEUS_PORT))
_LONGEST: Final = 65_536
"""Characters of one annotation; Kubernetes allows 256 KiB for all of them."""
_MILLISECOND: Final = 1_000_000
_FLUSH_BY_DEFAULT: Final = 5000
_TOO_LONG_TO_FLUSH: Final = 300_000
"""Milliseconds: Envoy's own default and limit."""


def wrong_annotations(annotations: Mapping[str, str]) -> tuple[Fault, ...]:
    """Faults of the annotations that concern injection, located below `metadata.annotations`."""
    return tuple(_judge(annotations))


def _name(text: str) -> str:
    return "" if _NAME.fullmatch(text) and len(text) <= 253 else "expected a name such as my-settings"


def _one_of(*choices: str) -> Callable[[str], str]:
    return lambda text: "" if text in choices else f"expected one of {', '.join(choices)}"


def _json_volumes(text: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return "expected JSON"
    if isinstance(found, list):
        good = all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in found)
        return "" if good else "expected objects with names"
    good = isinstance(found, dict) and all(isinstance(each, dict) for each in found.values())
    return "" if good else "expected an object of objects, by name of the volume"


def _names(text: str) -> str:
    return next((_name(word) for word in words(text) if word and _name(word)), "")


def _list(text: str) -> str:
    return "" if not text or _PREFIX_LIST.fullmatch(text) else "expected words separated by commas"


def _json_object(text: str) -> str:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return "expected JSON"
    return "" if isinstance(found, dict) else "expected a JSON object"


def _buckets(text: str) -> str:
    wrong = _json_object(text)
    if wrong:
        return wrong
    good = all(
        isinstance(each, list) and each and all(isinstance(limit, (int, float)) for limit in each)
        for each in json.loads(text).values()
    )
    return "" if good else 'expected lists of numbers by prefix, such as {"istio": [1, 5, 10]}'


def _status_port(text: str) -> str:
    wrong = wrong_port(text)
    return wrong or (f"Envoy listens on {text}; expected another port for the agent" if int(text) in _TAKEN else "")


def _regexps(text: str) -> str:
    """Separated by commas, so that none can have one of its own."""
    for regex in filter(None, text.split(",")):
        for fault in regex_faults("", regex):
            if fault.severity is Severity.ERROR:
                return fault.message
    return ""


def _milliseconds(text: str) -> int | None:
    try:
        found = parse_duration(text).nanoseconds
    except ValueError:
        return None
    return found // _MILLISECOND if found > 0 and found % _MILLISECOND == 0 else None


def _flush(text: str) -> str:
    found = _milliseconds(text)
    good = found is not None and found < _TOO_LONG_TO_FLUSH
    return "" if good else "expected a duration of less than 5m, such as 10s"


def _eviction(text: str) -> str:
    return "" if _milliseconds(text) is not None else "expected a duration such as 10m"


def _anything(text: str) -> str:
    return ""


_CHECKS: Final[Mapping[str, Callable[[str], str]]] = {
    f"{_SIDECAR}inject": _anything,
    f"{_SIDECAR}status": _anything,
    f"{_SIDECAR}interceptionMode": _one_of("REDIRECT", "TPROXY", "NONE"),
    f"{_SIDECAR}proxyCPU": wrong_quantity,
    f"{_SIDECAR}proxyMemory": wrong_quantity,
    f"{_SIDECAR}proxyCPULimit": wrong_quantity,
    f"{_SIDECAR}proxyMemoryLimit": wrong_quantity,
    f"{_SIDECAR}proxyImage": wrong_image,
    f"{_SIDECAR}proxyImageType": _one_of(*(each.value for each in ImageType)),
    f"{_SIDECAR}logLevel": wrong_levels,
    f"{_SIDECAR}componentLogLevel": wrong_component_levels,
    f"{_SIDECAR}agentLogLevel": wrong_agent_levels,
    f"{_SIDECAR}bootstrapOverride": _name,
    f"{_SIDECAR}discoveryAddress": wrong_host_port,
    f"{_SIDECAR}controlPlaneAuthPolicy": _one_of("NONE", "MUTUAL_TLS"),
    f"{_SIDECAR}statsInclusionPrefixes": _list,
    f"{_SIDECAR}statsInclusionSuffixes": _list,
    f"{_SIDECAR}statsInclusionRegexps": _regexps,
    f"{_SIDECAR}extraStatTags": _list,
    f"{_SIDECAR}statsHistogramBuckets": _buckets,
    f"{_SIDECAR}statsCompression": _anything,
    _FLUSH: _flush,
    _EVICTION: _eviction,
    f"{_SIDECAR}userVolume": _json_volumes,
    f"{_SIDECAR}userVolumeMount": _json_volumes,
    f"{_SIDECAR}rewriteAppHTTPProbers": wrong_boolean,
    f"{_SIDECAR}enableCoreDump": _anything,
    f"{_SIDECAR}capNetBindService": wrong_boolean,
    f"{_SIDECAR}nativeSidecar": wrong_boolean,
    f"{_SIDECAR}init-containers-before-proxy": _names,
    f"{_TRAFFIC}includeInboundPorts": wrong_all_or_ports,
    f"{_TRAFFIC}excludeInboundPorts": wrong_ports,
    f"{_TRAFFIC}includeOutboundPorts": wrong_ports,
    f"{_TRAFFIC}excludeOutboundPorts": wrong_ports,
    f"{_TRAFFIC}includeOutboundIPRanges": wrong_all_or_networks,
    f"{_TRAFFIC}excludeOutboundIPRanges": wrong_networks,
    f"{_TRAFFIC}kubevirtInterfaces": wrong_interfaces,
    f"{_TRAFFIC}excludeInterfaces": wrong_interfaces,
    "istio.io/reroute-virtual-interfaces": wrong_interfaces,
    "status.sidecar.istio.io/port": _status_port,
    f"{_READINESS}initialDelaySeconds": wrong_unsigned,
    f"{_READINESS}periodSeconds": wrong_unsigned,
    f"{_READINESS}failureThreshold": wrong_unsigned,
    f"{_READINESS}applicationPorts": wrong_ports,
    "prometheus.istio.io/merge-metrics": wrong_boolean,
    "proxy.istio.io/overrides": _json_object,
}
_DEPRECATED: Final = {
    f"{_SIDECAR}discoveryAddress": "deprecated by Istio: use discoveryAddress in proxy.istio.io/config",
    f"{_SIDECAR}controlPlaneAuthPolicy": "deprecated by Istio: use controlPlaneAuthPolicy in proxy.istio.io/config",
    # Who may write an annotation may not have the node's kernel reconfigured by a privileged container.
    f"{_SIDECAR}enableCoreDump": "has no effect, as in Istio since 1.24: use the value proxy.enableCoreDump",
    f"{_SIDECAR}statsCompression": "has no effect: use statsCompression in proxy.istio.io/config",
    f"{_READINESS}applicationPorts": "has no effect, as in Istio since 1.4",
    f"{_TRAFFIC}kubevirtInterfaces": "deprecated by Istio: use istio.io/reroute-virtual-interfaces",
}
_PREFIXES: Final = (
    _SIDECAR,
    _TRAFFIC,
    _READINESS,
    "status.sidecar.istio.io/",
    "proxy.istio.io/",
    "inject.istio.io/",
    "prometheus.istio.io/",
    "ambient.istio.io/",
)
"""Of annotations that are about proxies. Others may mean something to somebody else."""
_ELSEWHERE: Final = frozenset((PROXY_CONFIG, TEMPLATES))
"""Judged where they are used."""


def _judge(annotations: Mapping[str, str]) -> Iterator[Fault]:
    for name, text in annotations.items():
        path = f"metadata.annotations[{name}]"
        check = _CHECKS.get(name)
        if check is None:
            if name.startswith(_PREFIXES) and name not in _ELSEWHERE:
                yield warning(path, "not an annotation that this version knows: it has no effect")
            continue
        wrong = f"longer than {_LONGEST} characters" if len(text) > _LONGEST else check(text)
        if wrong:
            yield Fault(path, f"{wrong}, got {text[:100]!r}", Severity.ERROR)
        elif name in _DEPRECATED:
            yield warning(path, _DEPRECATED[name])
    yield from _judge_eviction(annotations)


def _judge_eviction(annotations: Mapping[str, str]) -> Iterator[Fault]:
    """Envoy drops what nobody counts any more while it flushes."""
    eviction = _milliseconds(annotations.get(_EVICTION, ""))
    flush = _milliseconds(annotations[_FLUSH]) if _FLUSH in annotations else _FLUSH_BY_DEFAULT
    if eviction and flush and eviction % flush:
        message = f"expected a multiple of {_FLUSH} ({flush / 1000:g} s), got {annotations[_EVICTION]!r}"
        yield error(f"metadata.annotations[{_EVICTION}]", message)

"""What a pod's annotations say about its proxy, over the installation's values: validated, with located faults."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from ipaddress import ip_network
from typing import Any, Final

import msgspec

from lateen.api.mesh.proxy_config import InboundInterceptionMode, ProxyConfig
from lateen.api.schema.fault import Fault, Severity, warning
from lateen.injection.values import Values

_SIDECAR: Final = "sidecar.istio.io/"
_TRAFFIC: Final = "traffic.sidecar.istio.io/"
_READINESS: Final = "readiness.status.sidecar.istio.io/"

_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "false", "FALSE", "False"))
_LEVELS: Final = frozenset(("trace", "debug", "info", "warning", "warn", "error", "critical", "off"))
_AGENT_LEVELS: Final = frozenset(("debug", "info", "warn", "error", "fatal", "none"))
_QUANTITY: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei|e[0-9]+)?")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*")
_PREFIX_LIST: Final = re.compile(r"[^\s\",]+(?:\s*,\s*[^\s\",]+)*")
_LONGEST: Final = 65_536
"""Characters of one annotation; Kubernetes allows 256 KiB for all of them."""


class ImageType(Enum):
    """A variant of the proxy's image."""

    DEFAULT = "default"
    DEBUG = "debug"
    DISTROLESS = "distroless"


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds and counts of the proxy's readiness probe."""

    initial_delay: int
    period: int
    failure_threshold: int


class PodSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All in force: an annotation, else the installation's value."""

    interception: InboundInterceptionMode
    include_ip_ranges: str
    exclude_ip_ranges: str
    include_inbound_ports: str
    exclude_inbound_ports: str
    include_outbound_ports: str
    exclude_outbound_ports: str
    virtual_interfaces: str
    exclude_interfaces: str
    status_port: int
    """0: the proxy has no readiness probe."""
    readiness: Readiness
    resources: Mapping[str, Any]
    """Of the proxy's containers."""
    image: str
    """A name or a whole reference; empty: the installation's."""
    image_type: str
    log_level: str
    component_log_level: str
    agent_log_level: str
    bootstrap_override: str
    """A ConfigMap with pieces of Envoy's bootstrap; empty: none."""
    volumes: Mapping[str, Any]
    """Further volumes by name."""
    volume_mounts: Mapping[str, Any]
    """Further mounts of the proxy, by name of the volume."""
    rewrite_probes: bool
    core_dump: bool
    bind_low_ports: bool
    native: bool | None
    """None: as the control plane has it."""
    before_proxy: tuple[str, ...]
    """Init containers that run before the proxy starts."""
    merge_metrics: bool | None
    """None: as MeshConfig has it."""
    discovery_address: str
    """Empty: as ProxyConfig has it."""
    control_plane_auth: str
    """Empty: as ProxyConfig has it."""


def parse_bool(text: str) -> bool | None:
    """As Go's strconv.ParseBool; None for everything else."""
    return True if text in _TRUE else False if text in _FALSE else None


def wrong_annotations(annotations: Mapping[str, str]) -> tuple[Fault, ...]:
    """Faults of the annotations that concern injection, located below `metadata.annotations`."""
    return tuple(_judge(annotations))


def pod_settings(annotations: Mapping[str, str], proxy: ProxyConfig, values: Values) -> PodSettings:
    """Of annotations without errors."""
    given = values.global_.proxy

    def text(name: str, otherwise: str) -> str:
        return annotations.get(name, otherwise)

    def number(name: str, otherwise: int) -> int:
        return int(annotations[name]) if name in annotations else otherwise

    def flag(name: str) -> bool | None:
        return parse_bool(annotations[name]) if name in annotations else None

    def either(found: bool | None, otherwise: bool) -> bool:
        return otherwise if found is None else found

    mode = annotations.get(f"{_SIDECAR}interceptionMode")
    return PodSettings(
        interception=InboundInterceptionMode(mode) if mode else proxy.interception_mode,
        include_ip_ranges=text(f"{_TRAFFIC}includeOutboundIPRanges", given.include_ip_ranges),
        exclude_ip_ranges=text(f"{_TRAFFIC}excludeOutboundIPRanges", given.exclude_ip_ranges),
        include_inbound_ports=text(f"{_TRAFFIC}includeInboundPorts", given.include_inbound_ports),
        exclude_inbound_ports=text(f"{_TRAFFIC}excludeInboundPorts", given.exclude_inbound_ports),
        include_outbound_ports=text(f"{_TRAFFIC}includeOutboundPorts", given.include_outbound_ports),
        exclude_outbound_ports=text(f"{_TRAFFIC}excludeOutboundPorts", given.exclude_outbound_ports),
        virtual_interfaces=text("istio.io/reroute-virtual-interfaces", text(f"{_TRAFFIC}kubevirtInterfaces", "")),
        exclude_interfaces=text(f"{_TRAFFIC}excludeInterfaces", ""),
        status_port=number("status.sidecar.istio.io/port", given.status_port and proxy.status_port),
        readiness=Readiness(
            initial_delay=number(f"{_READINESS}initialDelaySeconds", given.readiness_initial_delay_seconds),
            period=number(f"{_READINESS}periodSeconds", given.readiness_period_seconds),
            failure_threshold=number(f"{_READINESS}failureThreshold", given.readiness_failure_threshold),
        ),
        resources=_resources(annotations) or given.resources,
        image=text(f"{_SIDECAR}proxyImage", ""),
        image_type=text(f"{_SIDECAR}proxyImageType", proxy.image.image_type if proxy.image is not None else ""),
        log_level=text(f"{_SIDECAR}logLevel", given.log_level),
        component_log_level=text(f"{_SIDECAR}componentLogLevel", given.component_log_level),
        agent_log_level=text(f"{_SIDECAR}agentLogLevel", values.global_.logging.level),
        bootstrap_override=text(f"{_SIDECAR}bootstrapOverride", ""),
        volumes=_volumes(annotations.get(f"{_SIDECAR}userVolume")),
        volume_mounts=_volumes(annotations.get(f"{_SIDECAR}userVolumeMount")),
        rewrite_probes=either(
            flag(f"{_SIDECAR}rewriteAppHTTPProbers"), values.sidecar_injector_webhook.rewrite_app_http_probe
        ),
        core_dump=either(flag(f"{_SIDECAR}enableCoreDump"), given.enable_core_dump),
        bind_low_ports=either(flag(f"{_SIDECAR}capNetBindService"), given.cap_net_bind_service),
        native=flag(f"{_SIDECAR}nativeSidecar"),
        before_proxy=tuple(filter(None, _words(text(f"{_SIDECAR}init-containers-before-proxy", "")))),
        merge_metrics=flag("prometheus.istio.io/merge-metrics"),
        discovery_address=text(f"{_SIDECAR}discoveryAddress", ""),
        control_plane_auth=text(f"{_SIDECAR}controlPlaneAuthPolicy", ""),
    )


def _resources(annotations: Mapping[str, str]) -> dict[str, Any]:
    """One annotation is enough for the installation's resources not to count at all, as in Istio."""
    found: dict[str, Any] = {}
    for group, names in (
        ("requests", {"cpu": "proxyCPU", "memory": "proxyMemory"}),
        ("limits", {"cpu": "proxyCPULimit", "memory": "proxyMemoryLimit"}),
    ):
        given = {
            resource: annotations[f"{_SIDECAR}{name}"]
            for resource, name in names.items()
            if f"{_SIDECAR}{name}" in annotations
        }
        if given:
            found[group] = given
    return found


def _volumes(text: str | None) -> dict[str, Any]:
    """By name: Istio takes an object, and a list whose items have names."""
    found = json.loads(text) if text else {}
    if isinstance(found, list):
        return {each["name"]: {key: value for key, value in each.items() if key != "name"} for each in found}
    return dict(found)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


# --- what is wrong ------------------------------------------------------------------------------------------------


def _boolean(text: str) -> str:
    return "" if parse_bool(text) is not None else "expected true or false"


def _unsigned(text: str) -> str:
    good = text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) < 2**32
    return "" if good else "expected a whole number of 0 or more"


def _port(text: str) -> str:
    good = text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535
    return "" if good else "expected a port from 0 to 65535"


def _ports(text: str) -> str:
    for word in _words(text) if text.strip() else ():
        ends = re.split("[-:]", word)
        if len(ends) > 2 or any(_port(end) for end in ends) or int(ends[0]) > int(ends[-1]):
            return f"{word!r} is no port; expected a list such as 80,8000-8999"
    return ""


def _all_or_ports(text: str) -> str:
    return "" if text == "*" else _ports(text)


def _networks(text: str) -> str:
    for word in _words(text) if text.strip() else ():
        try:
            ip_network(word, strict=False)
        except ValueError:
            return f"{word!r} is no CIDR; expected a list such as 10.0.0.0/8,192.168.1.0/24"
    return ""


def _all_or_networks(text: str) -> str:
    return "" if text == "*" else _networks(text)


def _quantity(text: str) -> str:
    return "" if _QUANTITY.fullmatch(text) else "expected a quantity such as 100m or 128Mi"


def _level(text: str) -> str:
    return "" if text in _LEVELS else f"expected one of {', '.join(sorted(_LEVELS))}"


def _component_levels(text: str) -> str:
    for word in _words(text):
        component, separator, level = word.partition(":")
        if not component or not separator or level not in _LEVELS:
            return f"{word!r} is wrong; expected COMPONENT:LEVEL, ..., such as upstream:debug,misc:error"
    return ""


def _agent_levels(text: str) -> str:
    for word in _words(text):
        if word.rpartition(":")[2] not in _AGENT_LEVELS:
            return f"{word!r} is wrong; expected [SCOPE:]LEVEL, ..., a level of {', '.join(sorted(_AGENT_LEVELS))}"
    return ""


def _name(text: str) -> str:
    return "" if _NAME.fullmatch(text) and len(text) <= 253 else "expected a name such as my-settings"


def _interfaces(text: str) -> str:
    good = all(re.fullmatch(r"[A-Za-z0-9_.@-]{1,15}\*?", word) for word in _words(text))
    return "" if good or not text else "expected names of network interfaces, separated by commas"


def _image(text: str) -> str:
    return "" if _IMAGE.fullmatch(text) else "expected the name of an image"


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
    return next((_name(word) for word in _words(text) if word and _name(word)), "")


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


def _anything(text: str) -> str:
    return ""


_CHECKS: Final[Mapping[str, Callable[[str], str]]] = {
    f"{_SIDECAR}inject": _anything,
    f"{_SIDECAR}status": _anything,
    f"{_SIDECAR}interceptionMode": _one_of("REDIRECT", "TPROXY", "NONE"),
    f"{_SIDECAR}proxyCPU": _quantity,
    f"{_SIDECAR}proxyMemory": _quantity,
    f"{_SIDECAR}proxyCPULimit": _quantity,
    f"{_SIDECAR}proxyMemoryLimit": _quantity,
    f"{_SIDECAR}proxyImage": _image,
    f"{_SIDECAR}proxyImageType": _one_of(*(each.value for each in ImageType)),
    f"{_SIDECAR}logLevel": _level,
    f"{_SIDECAR}componentLogLevel": _component_levels,
    f"{_SIDECAR}agentLogLevel": _agent_levels,
    f"{_SIDECAR}bootstrapOverride": _name,
    f"{_SIDECAR}discoveryAddress": _anything,
    f"{_SIDECAR}controlPlaneAuthPolicy": _one_of("NONE", "MUTUAL_TLS"),
    f"{_SIDECAR}statsInclusionPrefixes": _list,
    f"{_SIDECAR}statsInclusionSuffixes": _list,
    f"{_SIDECAR}statsInclusionRegexps": _anything,
    f"{_SIDECAR}extraStatTags": _list,
    f"{_SIDECAR}statsHistogramBuckets": _buckets,
    f"{_SIDECAR}statsCompression": _boolean,
    f"{_SIDECAR}statsEvictionInterval": _anything,
    f"{_SIDECAR}userVolume": _json_volumes,
    f"{_SIDECAR}userVolumeMount": _json_volumes,
    f"{_SIDECAR}rewriteAppHTTPProbers": _boolean,
    f"{_SIDECAR}enableCoreDump": _boolean,
    f"{_SIDECAR}capNetBindService": _boolean,
    f"{_SIDECAR}nativeSidecar": _boolean,
    f"{_SIDECAR}init-containers-before-proxy": _names,
    f"{_TRAFFIC}includeInboundPorts": _all_or_ports,
    f"{_TRAFFIC}excludeInboundPorts": _ports,
    f"{_TRAFFIC}includeOutboundPorts": _ports,
    f"{_TRAFFIC}excludeOutboundPorts": _ports,
    f"{_TRAFFIC}includeOutboundIPRanges": _all_or_networks,
    f"{_TRAFFIC}excludeOutboundIPRanges": _networks,
    f"{_TRAFFIC}kubevirtInterfaces": _interfaces,
    f"{_TRAFFIC}excludeInterfaces": _interfaces,
    "istio.io/reroute-virtual-interfaces": _interfaces,
    "status.sidecar.istio.io/port": _port,
    f"{_READINESS}initialDelaySeconds": _unsigned,
    f"{_READINESS}periodSeconds": _unsigned,
    f"{_READINESS}failureThreshold": _unsigned,
    f"{_READINESS}applicationPorts": _ports,
    "prometheus.istio.io/merge-metrics": _boolean,
    "proxy.istio.io/overrides": _json_object,
}
_DEPRECATED: Final = {
    f"{_SIDECAR}discoveryAddress": "deprecated by Istio: use discoveryAddress in proxy.istio.io/config",
    f"{_SIDECAR}controlPlaneAuthPolicy": "deprecated by Istio: use controlPlaneAuthPolicy in proxy.istio.io/config",
    f"{_SIDECAR}interceptionMode": "",
    f"{_READINESS}applicationPorts": "has no effect, as in Istio since 1.4",
    f"{_TRAFFIC}kubevirtInterfaces": "deprecated by Istio: use istio.io/reroute-virtual-interfaces",
}
_PREFIXES: Final = (_SIDECAR, _TRAFFIC, "status.sidecar.istio.io/", _READINESS)


def _judge(annotations: Mapping[str, str]) -> Iterator[Fault]:
    for name, text in annotations.items():
        path = f"metadata.annotations[{name}]"
        check = _CHECKS.get(name)
        if check is None:
            if name.startswith(_PREFIXES):
                yield warning(path, "not an annotation that this version knows: it has no effect")
            continue
        wrong = f"longer than {_LONGEST} characters" if len(text) > _LONGEST else check(text)
        if wrong:
            yield Fault(path, f"{wrong}, got {text[:100]!r}", Severity.ERROR)
        elif _DEPRECATED.get(name):
            yield warning(path, _DEPRECATED[name])

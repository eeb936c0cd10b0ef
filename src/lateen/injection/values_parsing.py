"""Reads the values that injection needs, of all that an installation has: leniently where YAML is, and judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lateen.api.schema.decode import Decoder
from lateen.api.schema.fault import Fault, error
from lateen.injection.texts import (
    wrong_agent_levels,
    wrong_all_or_networks,
    wrong_all_or_ports,
    wrong_component_levels,
    wrong_image,
    wrong_levels,
    wrong_networks,
    wrong_ports,
    wrong_quantity,
)
from lateen.injection.values import GlobalValues, Values

_OF_INSTALLATION: Final = """
    base cni compatibilityVersion defaultRevision experimental istiodRemote meshConfig ownerName profile revisionTags
    telemetry ztunnel
"""
_OF_GLOBAL: Final = """
    agentgateway arch autoscalingv2API certSigners configCluster configRootNamespace configValidation
    createRemoteSvcEndpoints defaultNodeSelector defaultPodDisruptionBudget defaultResources defaultTolerations enabled
    externalIstiod ipFamilies ipFamilyPolicy istioRemote istiod meshNetworks networkPolicy omitSidecarInjectorConfigMap
    operatorManageWebhooks priorityClassName remotePilotAddress resourceScope tracer trustDomain waypoint
"""
_INSTALLATION: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset(_OF_INSTALLATION.split()),
    "global": frozenset(_OF_GLOBAL.split()),
    "sidecarInjectorWebhook": frozenset(("injectLabels", "objectSelector", "useLegacySelectors")),
}
"""Values of the installation that have no meaning for injection: whoever installs judges them."""

_NAMES_OF_GATEWAYS: Final = frozenset(("securityContext", "seccompProfile"))
_DECODER: Final = Decoder(Values)


def parse_values(raw: Mapping[str, Any]) -> tuple[Values | None, tuple[Fault, ...]]:
    """The values that concern injection, or what is wrong. A key that is nobody's is an error."""
    values, faults = _DECODER.decode(_own(raw))
    if values is None:
        return None, faults
    refused = tuple(_refused(values))
    return (None if refused else values), refused


def _own(raw: Mapping[str, Any]) -> dict[str, Any]:
    own = _without(raw, "")
    for name in ("global", "sidecarInjectorWebhook"):
        if isinstance(own.get(name), Mapping):
            own[name] = _without(own[name], name)
    if isinstance(own.get("pilot"), Mapping):
        # Everything else there is about the control plane's own Deployment.
        own["pilot"] = {key: own["pilot"][key] for key in ("cni", "env") if own["pilot"].get(key) is not None}
        if isinstance(own["pilot"].get("env"), Mapping):
            own["pilot"]["env"] = {key: _text(value) for key, value in own["pilot"]["env"].items()}
    if isinstance(own.get("gateways"), Mapping):
        # The gateways themselves are installed, not injected.
        own["gateways"] = {key: own["gateways"][key] for key in own["gateways"] if key in _NAMES_OF_GATEWAYS}
    if isinstance(own.get("global"), Mapping):
        own["global"] = _straight_global(own["global"])
    return own


def _without(raw: Mapping[str, Any], group: str) -> dict[str, Any]:
    """Helm's null stands for absent."""
    others = _INSTALLATION[group]
    return {key: value for key, value in raw.items() if key not in others and value is not None}


def _straight_global(raw: Mapping[str, Any]) -> dict[str, Any]:
    """YAML makes numbers of tags and of lists of ports."""
    straight = dict(raw)
    if "tag" in straight:
        straight["tag"] = _text(straight["tag"])
    proxy = straight.get("proxy")
    if isinstance(proxy, Mapping):
        lists = ("excludeInboundPorts", "includeInboundPorts", "excludeOutboundPorts", "includeOutboundPorts")
        straight["proxy"] = {
            key: _text(value) if key in lists else value for key, value in proxy.items() if value is not None
        }
    return straight


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (int, float)) else value


def _refused(values: Values) -> list[Fault]:
    """What Istio takes and this version does not do."""
    found = values.global_
    refused = []
    for path, wrong in (
        ("global.caName", bool(found.ca_name)),
        ("global.mountMtlsCerts", found.mount_mtls_certs),
        ("global.sts.servicePort", bool(found.sts.service_port)),
    ):
        if wrong:
            refused.append(error(path, "not supported yet by this version: leave it out"))
    if found.jwt_policy != "third-party-jwt":
        refused.append(error("global.jwtPolicy", f"expected third-party-jwt, got {found.jwt_policy!r}"))
    if found.proxy.tracer not in ("", "none", "zipkin"):
        refused.append(
            error("global.proxy.tracer", f"{found.proxy.tracer!r} is not supported: use meshConfig.extensionProviders")
        )
    refused += _wrong_texts(found)
    for name, resources in (("proxy", found.proxy.resources), ("proxy_init", found.proxy_init.resources)):
        refused += _wrong_quantities(f"global.{name}.resources", resources)
    if not found.hub:
        refused.append(error("global.hub", "must not be empty: it is where images come from"))
    if not found.tag:
        refused.append(error("global.tag", "must not be empty: it is the images' tag"))
    return refused


def _wrong_texts(found: GlobalValues) -> Iterator[Fault]:
    """As with the annotations that say the same: what is wrong would be so in every pod."""
    proxy = found.proxy
    for path, text, wrong in (
        ("proxy.includeIPRanges", proxy.include_ip_ranges, wrong_all_or_networks),
        ("proxy.excludeIPRanges", proxy.exclude_ip_ranges, wrong_networks),
        ("proxy.includeInboundPorts", proxy.include_inbound_ports, wrong_all_or_ports),
        ("proxy.excludeInboundPorts", proxy.exclude_inbound_ports, wrong_ports),
        ("proxy.includeOutboundPorts", proxy.include_outbound_ports, wrong_ports),
        ("proxy.excludeOutboundPorts", proxy.exclude_outbound_ports, wrong_ports),
        ("proxy.logLevel", proxy.log_level, wrong_levels),
        ("proxy.componentLogLevel", proxy.component_log_level, wrong_component_levels),
        ("logging.level", found.logging.level, wrong_agent_levels),
        ("proxy.image", proxy.image, wrong_image),
        ("proxy_init.image", found.proxy_init.image, wrong_image),
    ):
        problem = wrong(text)
        if problem:
            yield error(f"global.{path}", f"{problem}, got {text[:100]!r}")


def _wrong_quantities(path: str, resources: Mapping[str, Any]) -> Iterator[Fault]:
    """The API server would refuse every pod, without a word of where that comes from."""
    for kind in ("requests", "limits"):
        amounts = resources.get(kind)
        if amounts is None:
            continue
        if not isinstance(amounts, Mapping):
            yield error(f"{path}.{kind}", f"expected a quantity each for cpu, memory, ..., got {str(amounts)[:100]!r}")
            continue
        for name, amount in amounts.items():
            problem = wrong_quantity(str(amount)) if amount is not None else ""
            if problem:
                yield error(f"{path}.{kind}.{name}", f"{problem}, got {str(amount)[:100]!r}")

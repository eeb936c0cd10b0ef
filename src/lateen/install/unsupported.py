"""Keys of Istio that have no effect here: each is told of by name, and why.

A key that is in no list of ours is an error: it is most likely misspelt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lateen.api.schema.fault import Fault, error, warning

_LATER: Final = "not supported yet by this version: it has no effect"
_ALWAYS: Final = "there is only one way here, which is the default: it has no effect"
_GATEWAY: Final = ("values.gateways.istio-ingressgateway.", "values.gateways.istio-egressgateway.")
_PROXY: Final = "values.global.proxy."

_WITHOUT_EFFECT: Final[Mapping[str, str]] = {
    "unvalidatedValues": "unknown to the model: write what you mean under values",
    "defaultRevision": "write values.defaultRevision",
    "components.base.namespace": "definitions are in no namespace",
    "components.base.hub": "definitions have no image",
    "components.base.tag": "definitions have no image",
    "components.pilot.namespace": "write spec.namespace",
    "values.profile": "write spec.profile",
    "values.ownerName": "objects are owned by the installation that made them",
    "values.compatibilityVersion": _LATER,
    "values.experimental": _LATER,
    "values.cni": "the CNI plugin is " + _LATER,
    "values.ztunnel": "the proxy on nodes is " + _LATER,
    "values.istiodRemote": _LATER,
    "values.kiali": "add-ons are installed by their own manifests: it has no effect",
    "values.gatewayClasses": _LATER,
    "values.base.validationURL": _LATER,
    "values.base.validationCABundle": _LATER,
    "values.base.enableCRDTemplates": _ALWAYS,
    "values.telemetry.v2.metadataExchange": _ALWAYS,
    "values.telemetry.v2.stackdriver": _LATER,
    "values.telemetry.v2.accessLogPolicy": _LATER,
    "values.telemetry.v2.prometheus.wasmEnabled": _ALWAYS,
    "values.telemetry.v2.prometheus.configOverride": _LATER,
    "values.pilot.traceSampling": "tracing is " + _LATER,
    "values.pilot.jwksResolverExtraRootCA": _LATER,
    "values.pilot.taint": "the CNI plugin is " + _LATER,
    "values.pilot.trustedZtunnelNamespace": "the proxy on nodes is " + _LATER,
    "values.pilot.trustedZtunnelName": "the proxy on nodes is " + _LATER,
    "values.pilot.enableProtocolSniffingForOutbound": _ALWAYS,
    "values.pilot.enableProtocolSniffingForInbound": _ALWAYS,
    "values.pilot.plugins": _ALWAYS,
    "values.pilot.useMCP": _LATER,
    "values.pilot.configSource": "write meshConfig.configSources",
    "values.pilot.ipFamily": "write values.pilot.ipFamilies",
    "values.sidecarInjectorWebhook.objectSelector": _ALWAYS,
    "values.sidecarInjectorWebhook.useLegacySelectors": _ALWAYS,
    "values.sidecarInjectorWebhook.revisionLabelPreference": _LATER,
    "values.global.arch": "write affinity of the component",
    "values.global.autoscalingv2API": _ALWAYS,
    "values.global.certSigners": _LATER,
    "values.global.certificates": _LATER,
    "values.global.configCluster": _LATER,
    "values.global.configRootNamespace": "write meshConfig.rootNamespace",
    "values.global.createRemoteSvcEndpoints": _LATER,
    "values.global.defaultConfigVisibilitySettings": "write meshConfig.defaultServiceExportTo and its kin",
    "values.global.enabled": _ALWAYS,
    "values.global.externalIstiod": _LATER,
    "values.global.ipFamilies": "write ipFamilies of the component",
    "values.global.ipFamilyPolicy": "write ipFamilyPolicy of the component",
    "values.global.istiod": "status is written by default; values.pilot.env.PILOT_ENABLE_STATUS turns it off",
    "values.global.meshExpansion": _LATER,
    "values.global.multiCluster.enabled": "a cluster needs no switch for that: write clusterName and network",
    "values.global.multiCluster.globalDomainSuffix": _LATER,
    "values.global.multiCluster.includeEnvoyFilter": _ALWAYS,
    "values.global.networkPolicy": _LATER,
    "values.global.oneNamespace": "write meshConfig.discoverySelectors",
    "values.global.peerCaCrl": _LATER,
    "values.global.remotePilotAddress": _LATER,
    "values.global.resourceScope": _LATER,
    "values.global.tracer": "write meshConfig.extensionProviders",
    "values.global.trustDomain": "write meshConfig.trustDomain",
    "values.global.useMCP": _LATER,
    "values.global.waypoint": "waypoints are " + _LATER,
    "values.global.agentgateway": _LATER,
    _PROXY + "accessLogFile": "write meshConfig.accessLogFile",
    _PROXY + "envoyAccessLogService": _LATER,
    _PROXY + "envoyMetricsService": _LATER,
    _PROXY + "envoyStatsd": _LATER,
    _PROXY + "tracer": "write meshConfig.extensionProviders",
    _PROXY + "concurrency": "write meshConfig.defaultConfig.concurrency",
    **{
        gateway + key: why
        for gateway in _GATEWAY
        for key, why in (
            ("zvpn", _LATER),
            ("meshExpansionPorts", _LATER),
            ("customService", "write components.X.k8s.service"),
            ("ingressPorts", "write ports"),
            ("additionalContainers", "write components.X.k8s.overlays"),
            ("podAntiAffinityLabelSelector", "write affinity"),
            ("podAntiAffinityTermLabelSelector", "write affinity"),
            ("injectionTemplate", "write a Deployment of your own with the annotation inject.istio.io/templates"),
            ("runAsRoot", _LATER),
            ("namespace", "write components.X.namespace"),
        )
    },
}

_REFUSED: Final[Mapping[str, str]] = {
    "installPackagePath": "charts are part of this program: other ones cannot be given",
    "addonComponents": "add-ons are installed by their own manifests",
    "compatibilityVersion": "not supported yet by this version",
}


def without_unsupported(spec: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Fault, ...]]:
    """A spec without the keys that are known and have no effect, and a fault for each."""
    faults: list[Fault] = []
    return _kept(spec, "", faults), tuple(faults)


def _kept(value: Mapping[str, Any], path: str, faults: list[Fault]) -> dict[str, Any]:
    return dict(_items(value, path, faults))


def _items(value: Mapping[str, Any], path: str, faults: list[Fault]) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        where = f"{path}.{key}" if path else str(key)
        if where in _REFUSED:
            faults.append(error(where, _REFUSED[where]))
        elif where in _WITHOUT_EFFECT:
            if item not in (None, {}, [], "", False):
                faults.append(warning(where, _WITHOUT_EFFECT[where]))
        elif isinstance(item, dict) and where.startswith(("values", "components")) and where.count(".") < 4:
            yield key, _kept(item, where, faults)
        else:
            yield key, item

"""The pod of a gateway that the installation makes itself: `istio-ingressgateway` and the like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lateen.api.mesh.mesh_config import MeshConfig
from lateen.api.mesh.proxy_config import ProxyConfig
from lateen.api.schema.fault import Fault, Severity
from lateen.injection.annotation_checks import wrong_annotations
from lateen.injection.context import Context
from lateen.injection.environment import overridden
from lateen.injection.names import INJECT, NETWORK, PROXY, PROXY_ID, REVISION
from lateen.injection.pod_settings import pod_settings
from lateen.injection.proxy_container import Role, proxy_container
from lateen.injection.proxy_settings import with_annotations
from lateen.injection.templates.pod_additions import canonical_labels
from lateen.injection.values import Values
from lateen.injection.volumes import proxy_volumes
from lateen.injection.workload import Workload


class GatewayPod(msgspec.Struct, frozen=True, kw_only=True):
    """What the installation's values say of one gateway's pods."""

    name: str
    """Of its Deployment."""
    namespace: str
    service_account: str
    labels: Mapping[str, str]
    """Of its pods: what Gateways and the Service select by."""
    annotations: Mapping[str, str] = {}
    ports: Sequence[Mapping[str, Any]] = ()
    """Container ports, as Kubernetes takes them, beside that of Prometheus."""
    environment: Mapping[str, str] = {}
    """Further variables of the proxy."""
    resources: Mapping[str, Any] | None = None
    """None: as for sidecars."""
    network: str = ""
    """The network it is a gateway of; empty: that of the installation."""
    kind: str = "Deployment"
    as_root: bool = False
    """Runs as root, to listen on ports below 1024 on old kernels. Otherwise without any capability."""


def gateway_faults(annotations: Mapping[str, str], default: ProxyConfig) -> tuple[Fault, ...]:
    """What is wrong with annotations of a gateway's pods, with paths from `metadata.annotations`."""
    found = wrong_annotations(annotations)
    if any(fault.severity is Severity.ERROR for fault in found):
        return found
    return (*found, *with_annotations(default, annotations)[1])


def gateway_pod(gateway: GatewayPod, mesh: MeshConfig, values: Values) -> dict[str, Any]:
    """`{"metadata": ..., "spec": ...}`: the template of a gateway's pods. Raises ValueError for annotations that
    `gateway_faults` finds errors in."""
    faults = gateway_faults(gateway.annotations, mesh.default_config)
    wrong = [fault for fault in faults if fault.severity is Severity.ERROR]
    if wrong:
        raise ValueError("; ".join(f"{fault.path}: {fault.message}" for fault in wrong))
    proxy, _ = with_annotations(mesh.default_config, gateway.annotations)
    assert proxy is not None, "there are no errors"
    pod = {
        "metadata": {"labels": dict(gateway.labels), "annotations": dict(gateway.annotations)},
        "spec": {"containers": [{"name": PROXY, "ports": [dict(port) for port in gateway.ports]}]},
    }
    context = Context(
        pod=pod,
        workload=Workload(gateway.name, gateway.namespace, "apps/v1", gateway.kind),
        mesh=mesh,
        proxy=proxy,
        settings=pod_settings(gateway.annotations, proxy, values),
        values=values,
        network=gateway.network,
    )
    spec: dict[str, Any] = {
        "serviceAccountName": gateway.service_account,
        "securityContext": _pod_security(gateway),
        "containers": [_container(gateway, context)],
        "volumes": proxy_volumes(context),
    }
    if values.global_.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in values.global_.image_pull_secrets]
    annotations = {
        "prometheus.io/port": str(proxy.status_port),
        "prometheus.io/scrape": "true",
        "prometheus.io/path": "/stats/prometheus",
        **gateway.annotations,
    }
    return {"metadata": {"labels": _labels(gateway, context), "annotations": annotations}, "spec": spec}


def _labels(gateway: GatewayPod, context: Context) -> dict[str, str]:
    own = {
        **canonical_labels(context),
        REVISION: context.values.revision or "default",
        # It is a proxy already: a webhook is not to make a sidecar of it.
        INJECT: "false",
    }
    if gateway.network:
        own[NETWORK] = gateway.network
    return {**own, **gateway.labels}


def _container(gateway: GatewayPod, context: Context) -> dict[str, Any]:
    container = proxy_container(context, Role.ROUTER)
    if gateway.ports:
        container["ports"] = [*(dict(port) for port in gateway.ports), *container["ports"]]
    if gateway.resources is not None:
        container["resources"] = dict(gateway.resources)
    own = [] if gateway.as_root else [{"name": "ISTIO_META_UNPRIVILEGED_POD", "value": "true"}]
    further = [{"name": name, "value": text} for name, text in gateway.environment.items()]
    container["env"] = overridden(overridden(container["env"], own), further)
    if gateway.as_root:
        container["securityContext"] |= {"runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": False}
    return container


def _pod_security(gateway: GatewayPod) -> dict[str, Any]:
    if gateway.as_root:
        return {"runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": False, "fsGroup": PROXY_ID}
    return {"runAsUser": PROXY_ID, "runAsGroup": PROXY_ID, "runAsNonRoot": True, "fsGroup": PROXY_ID}

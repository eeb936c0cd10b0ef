"""All kinds that the mesh reads."""

from __future__ import annotations

from typing import Final

from lateen.api.extensions import traffic_extension_validation, wasm_plugin_validation
from lateen.api.extensions.traffic_extension import TrafficExtension
from lateen.api.extensions.wasm_plugin import WasmPlugin
from lateen.api.kind import Column, Kind
from lateen.api.kubernetes.config_map import ConfigMap
from lateen.api.kubernetes.endpoint_slice import EndpointSlice
from lateen.api.kubernetes.namespace import Namespace
from lateen.api.kubernetes.node import Node
from lateen.api.kubernetes.pod import Pod
from lateen.api.kubernetes.secret import Secret
from lateen.api.kubernetes.service import Service
from lateen.api.kubernetes.service_account import ServiceAccount
from lateen.api.kubernetes.workloads import CronJob, DaemonSet, Deployment, Job, ReplicaSet, StatefulSet
from lateen.api.networking import (
    destination_rule_validation,
    envoy_filter_validation,
    gateway_validation,
    proxy_config_validation,
    service_entry_validation,
    sidecar_validation,
    virtual_service_validation,
    workload_entry_validation,
    workload_group_validation,
)
from lateen.api.networking.destination_rule import DestinationRule
from lateen.api.networking.envoy_filter import EnvoyFilter
from lateen.api.networking.gateway import Gateway
from lateen.api.networking.proxy_config import ProxyConfig
from lateen.api.networking.service_entry import ServiceEntry
from lateen.api.networking.sidecar import Sidecar
from lateen.api.networking.virtual_service import VirtualService
from lateen.api.networking.workload_entry import HEALTHY, WorkloadEntry
from lateen.api.networking.workload_group import WorkloadGroup
from lateen.api.security import (
    authorization_policy_validation,
    peer_authentication_validation,
    request_authentication_validation,
)
from lateen.api.security.authorization_policy import AuthorizationPolicy
from lateen.api.security.peer_authentication import PeerAuthentication
from lateen.api.security.request_authentication import RequestAuthentication
from lateen.api.telemetry import telemetry_validation
from lateen.api.telemetry.telemetry import Telemetry
from lateen.api.type.status import ServiceEntryStatus

NETWORKING: Final = "networking.istio.io"
SECURITY: Final = "security.istio.io"
TELEMETRY: Final = "telemetry.istio.io"
EXTENSIONS: Final = "extensions.istio.io"

MESH_GROUPS: Final = frozenset({NETWORKING, SECURITY, TELEMETRY, EXTENSIONS})
"""API groups that are the mesh's own: every kind in them is known, or a mistake."""

_TRAFFIC: Final = ("v1", "v1beta1", "v1alpha3")

MESH_KINDS: Final = (
    Kind(
        group=NETWORKING,
        kind="VirtualService",
        plural="virtualservices",
        versions=_TRAFFIC,
        spec=VirtualService,
        validate=virtual_service_validation.validate,
        short_names=("vs",),
        columns=(
            Column("Gateways", ".spec.gateways", "The gateways and sidecars that apply these routes"),
            Column("Hosts", ".spec.hosts", "The hosts whose traffic is routed"),
        ),
        description="Routes of the traffic for some hosts.",
    ),
    Kind(
        group=NETWORKING,
        kind="DestinationRule",
        plural="destinationrules",
        versions=_TRAFFIC,
        spec=DestinationRule,
        validate=destination_rule_validation.validate,
        short_names=("dr",),
        columns=(Column("Host", ".spec.host", "The service"),),
        description="How clients connect to a service: load balancing, pools, outlier detection, TLS, subsets.",
    ),
    Kind(
        group=NETWORKING,
        kind="Gateway",
        plural="gateways",
        versions=_TRAFFIC,
        spec=Gateway,
        validate=gateway_validation.validate,
        short_names=("gw",),
        description="Ports, protocols and TLS of a proxy at the edge of the mesh.",
    ),
    Kind(
        group=NETWORKING,
        kind="ServiceEntry",
        plural="serviceentries",
        versions=_TRAFFIC,
        spec=ServiceEntry,
        validate=service_entry_validation.validate,
        status=ServiceEntryStatus,
        short_names=("se",),
        columns=(
            Column("Hosts", ".spec.hosts", "The hosts of the service"),
            Column("Location", ".spec.location", "Inside or outside of the mesh: MESH_INTERNAL or MESH_EXTERNAL"),
            Column("Resolution", ".spec.resolution", "Where its addresses come from: NONE, STATIC or DNS"),
        ),
        description="A service that Kubernetes does not know of.",
    ),
    Kind(
        group=NETWORKING,
        kind="Sidecar",
        plural="sidecars",
        versions=_TRAFFIC,
        spec=Sidecar,
        validate=sidecar_validation.validate,
        description="What the proxies of some workloads accept, and what they see of the mesh.",
    ),
    Kind(
        group=NETWORKING,
        kind="WorkloadEntry",
        plural="workloadentries",
        versions=_TRAFFIC,
        spec=WorkloadEntry,
        validate=workload_entry_validation.validate,
        short_names=("we",),
        conditions=frozenset({HEALTHY}),
        columns=(Column("Address", ".spec.address", "The address of the workload"),),
        description="A workload that is no pod: a virtual machine, for example.",
    ),
    Kind(
        group=NETWORKING,
        kind="WorkloadGroup",
        plural="workloadgroups",
        versions=_TRAFFIC,
        spec=WorkloadGroup,
        validate=workload_group_validation.validate,
        short_names=("wg",),
        description="A template for the WorkloadEntries of workloads that register themselves.",
    ),
    Kind(
        group=NETWORKING,
        kind="ProxyConfig",
        plural="proxyconfigs",
        versions=("v1beta1",),
        spec=ProxyConfig,
        validate=proxy_config_validation.validate,
        short_names=("pc",),
        description="Settings of single proxies.",
    ),
    Kind(
        group=NETWORKING,
        kind="EnvoyFilter",
        plural="envoyfilters",
        versions=("v1alpha3",),
        spec=EnvoyFilter,
        validate=envoy_filter_validation.validate,
        description="Changes to the configuration that proxies are sent.",
    ),
    Kind(
        group=SECURITY,
        kind="PeerAuthentication",
        plural="peerauthentications",
        versions=("v1", "v1beta1"),
        spec=PeerAuthentication,
        validate=peer_authentication_validation.validate,
        short_names=("pa",),
        columns=(Column("Mode", ".spec.mtls.mode", "What is asked of clients: STRICT, PERMISSIVE or DISABLE"),),
        description="Whether workloads ask their clients for mutual TLS.",
    ),
    Kind(
        group=SECURITY,
        kind="RequestAuthentication",
        plural="requestauthentications",
        versions=("v1", "v1beta1"),
        spec=RequestAuthentication,
        validate=request_authentication_validation.validate,
        short_names=("ra",),
        description="Which tokens (JWT) requests may carry.",
    ),
    Kind(
        group=SECURITY,
        kind="AuthorizationPolicy",
        plural="authorizationpolicies",
        versions=("v1", "v1beta1"),
        spec=AuthorizationPolicy,
        validate=authorization_policy_validation.validate,
        short_names=("ap",),
        columns=(Column("Action", ".spec.action", "What is done with requests that match"),),
        description="Which requests workloads accept.",
    ),
    Kind(
        group=TELEMETRY,
        kind="Telemetry",
        plural="telemetries",
        versions=("v1", "v1alpha1"),
        spec=Telemetry,
        validate=telemetry_validation.validate,
        stored_version="v1alpha1",
        short_names=("telemetry",),
        description="Metrics, access logs and traces of workloads.",
    ),
    Kind(
        group=EXTENSIONS,
        kind="WasmPlugin",
        plural="wasmplugins",
        versions=("v1alpha1",),
        spec=WasmPlugin,
        validate=wasm_plugin_validation.validate,
        description="A WebAssembly plugin in the filter chains of some proxies.",
    ),
    Kind(
        group=EXTENSIONS,
        kind="TrafficExtension",
        plural="trafficextensions",
        versions=("v1alpha1",),
        spec=TrafficExtension,
        validate=traffic_extension_validation.validate,
        description="A WebAssembly module or a Lua script in the filter chains of some proxies.",
    ),
)

KUBERNETES_KINDS: Final = (
    Kind(group="", kind="Service", plural="services", versions=("v1",), value=Service),
    Kind(group="", kind="Pod", plural="pods", versions=("v1",), value=Pod),
    Kind(group="", kind="Node", plural="nodes", versions=("v1",), value=Node, namespaced=False),
    Kind(group="", kind="Namespace", plural="namespaces", versions=("v1",), value=Namespace, namespaced=False),
    Kind(group="", kind="Secret", plural="secrets", versions=("v1",), value=Secret),
    Kind(group="", kind="ConfigMap", plural="configmaps", versions=("v1",), value=ConfigMap),
    Kind(group="", kind="ServiceAccount", plural="serviceaccounts", versions=("v1",), value=ServiceAccount),
    Kind(
        group="discovery.k8s.io",
        kind="EndpointSlice",
        plural="endpointslices",
        versions=("v1",),
        value=EndpointSlice,
    ),
    Kind(group="apps", kind="Deployment", plural="deployments", versions=("v1",), value=Deployment),
    Kind(group="apps", kind="ReplicaSet", plural="replicasets", versions=("v1",), value=ReplicaSet),
    Kind(group="apps", kind="StatefulSet", plural="statefulsets", versions=("v1",), value=StatefulSet),
    Kind(group="apps", kind="DaemonSet", plural="daemonsets", versions=("v1",), value=DaemonSet),
    Kind(group="batch", kind="Job", plural="jobs", versions=("v1",), value=Job),
    Kind(group="batch", kind="CronJob", plural="cronjobs", versions=("v1",), value=CronJob),
)

KINDS: Final = (*MESH_KINDS, *KUBERNETES_KINDS)

_BY_NAME: Final = {(version, kind.kind): kind for kind in KINDS for version in kind.api_versions}


def kind_of(api_version: str, kind: str) -> Kind | None:
    """The kind of an object by its `apiVersion` and `kind`; None if the mesh does not read it."""
    return _BY_NAME.get((api_version, kind))

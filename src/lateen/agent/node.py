"""What a proxy says of itself to the control plane: id, cluster, locality and metadata, under Istio's names. Pure."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lateen.agent.proxy_config import ProxyConfig

__all__ = ["BadPodInfo", "Pod", "canonical_name", "labels_of", "metadata", "node", "parse_downward"]

_META: Final = "ISTIO_META_"
_METAJSON: Final = "ISTIO_METAJSON_"
_LOCALITY: Final = "istio-locality"
_POD_HASH: Final = "pod-template-hash"
_DEFAULT_NAME: Final = "istio-proxy"


class BadPodInfo(ValueError):
    """What Kubernetes or the environment tells of the pod cannot be read; says what."""


class Pod(NamedTuple):
    """Who the proxy belongs to."""

    role: str
    domain: str
    addresses: tuple[str, ...]
    """The first is the pod's own."""
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.environment.get("POD_NAME", "")

    @property
    def namespace(self) -> str:
        return self.environment.get("POD_NAMESPACE", "")

    @property
    def id(self) -> str:
        """`sidecar~10.1.2.3~NAME.NAMESPACE~DOMAIN`."""
        return f"{self.role}~{self.addresses[0]}~{self.name}.{self.namespace}~{self.domain}"


def parse_downward(text: str) -> dict[str, str]:
    """Labels or annotations as a downward API volume has them, `NAME="VALUE"` by line. Raises BadPodInfo."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if not equals:
            continue
        try:
            # The quoting is Go's, which Python's literals contain.
            read = ast.literal_eval(value) if value.startswith('"') else None
        except (ValueError, SyntaxError):
            read = None
        if not isinstance(read, str):
            raise BadPodInfo(f"the value of {name} is not in quotes: {value[:100]}")
        found[name] = read
    return found


def labels_of(environment: Mapping[str, str], mounted: Mapping[str, str]) -> dict[str, str]:
    """A pod's labels: those of the injected variable ISTIO_METAJSON_LABELS, then those of the pod itself.

    Without the one that says which ReplicaSet it is of: it changes with every rollout and means nothing. A locality
    has slashes. Raises BadPodInfo.
    """
    found = {name: str(value) for name, value in _object(environment, f"{_METAJSON}LABELS").items()} | {
        name: value for name, value in mounted.items() if name != _POD_HASH
    }
    if locality := found.get(_LOCALITY):
        found[_LOCALITY] = locality if "/" in locality else locality.replace(".", "/")
    return found


def node(pod: Pod, config: ProxyConfig, described: dict[str, Any]) -> dict[str, Any]:
    """core.v3.Node. `described` is its metadata."""
    found: dict[str, Any] = {"id": pod.id, "cluster": cluster(pod, config), "metadata": described}
    parts = pod.labels.get(_LOCALITY, "").split("/")[:3]
    locality = {name: part for name, part in zip(("region", "zone", "sub_zone"), parts, strict=False) if part}
    if locality:
        found["locality"] = locality
    return found


def cluster(pod: Pod, config: ProxyConfig) -> str:
    """The name under which a proxy appears in traces: node.cluster."""
    workload = pod.environment.get(f"{_META}WORKLOAD_NAME", "")
    if config.tracing_service_name == "APP_LABEL_AND_NAMESPACE" or config.service_cluster:
        name = config.service_cluster
    else:
        name = canonical_name(pod.labels, workload) or _DEFAULT_NAME
        if config.tracing_service_name == "CANONICAL_NAME_AND_NAMESPACE" and pod.namespace:
            return f"{name}.{pod.namespace}"
    if name and name != _DEFAULT_NAME:
        return name
    base = pod.labels.get("app") or workload or _DEFAULT_NAME
    return f"{base}.{pod.namespace}" if pod.namespace else base


def canonical_name(labels: Mapping[str, str], workload: str) -> str:
    """The service that a pod is an instance of, as telemetry calls it; empty where nothing says."""
    names = ("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
    return next((labels[name] for name in names if labels.get(name)), workload)


def metadata(
    pod: Pod,
    config: ProxyConfig,
    given: Mapping[str, Any],
    *,
    version: str,
    certificates: Mapping[str, str] | str,
    control_plane_name: str,
    status_port: int,
    prometheus_port: int,
    on_zero_connections: bool,
) -> dict[str, Any]:
    """`given` is the ProxyConfig as it came; `certificates` the names of the files, or `none`; `prometheus_port` is 0
    where there is none.

    Whatever the environment says under ISTIO_META_NAME is in it as NAME; what the agent knows itself goes before that.
    Raises BadPodInfo.
    """
    found: dict[str, Any] = {"ISTIO_VERSION": version}
    for variables in (config.proxy_metadata, pod.environment):
        found |= {name.removeprefix(_META): value for name, value in variables.items() if name.startswith(_META)}
    for variable in pod.environment:
        if variable.startswith(_METAJSON) and variable != f"{_METAJSON}LABELS":
            found |= _object(pod.environment, variable)
    if config.mesh_id:
        found.setdefault("MESH_ID", config.mesh_id)
    if config.interception_mode:
        found.setdefault("INTERCEPTION_MODE", config.interception_mode)
    found |= {
        "NAME": pod.name,
        "NAMESPACE": pod.namespace,
        "LABELS": dict(pod.labels),
        "ANNOTATIONS": dict(pod.annotations),
        "INSTANCE_IPS": ",".join(pod.addresses),
        "PROXY_CONFIG": dict(given),
        "PILOT_SAN": [control_plane_name],
        "ENVOY_STATUS_PORT": status_port,
        "LATEEN_CERTIFICATES": dict(certificates) if isinstance(certificates, Mapping) else certificates,
    }
    if prometheus_port:
        found["ENVOY_PROMETHEUS_PORT"] = prometheus_port
    if account := pod.environment.get("SERVICE_ACCOUNT", ""):
        found["SERVICE_ACCOUNT"] = account
    if on_zero_connections:
        found["EXIT_ON_ZERO_ACTIVE_CONNECTIONS"] = "true"
    return found


def _object(environment: Mapping[str, str], variable: str) -> dict[str, Any]:
    text = environment.get(variable, "")
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError as problem:
        raise BadPodInfo(f"{variable} is not JSON: {problem}") from None
    if not isinstance(found, dict):
        raise BadPodInfo(f"{variable} is not an object")
    return found

"""Gateways that the installation makes itself: account, rights, Deployment, Service, autoscaler, budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from lateen.api.mesh.mesh_config import MeshConfig
from lateen.injection.gateway_pod import GatewayPod, gateway_pod
from lateen.injection.values import Values
from lateen.install.names import INGRESS, owner_labels, pod_labels
from lateen.install.rendering.deployments import deployment, scheduling, service_account
from lateen.install.rendering.rights import role_and_binding, rule
from lateen.install.rendering.scaling import autoscaler, budget
from lateen.install.values.gateway import Gateway
from lateen.install.values.kubernetes import ServicePort
from lateen.install.values.operator import GatewayComponent, Operator

_INGRESS_PORTS: Final = (
    ServicePort(name="status-port", port=15021),
    ServicePort(name="http2", port=80, target_port=8080),
    ServicePort(name="https", port=443, target_port=8443),
)
_READINESS: Final = {"initialDelaySeconds": 1, "periodSeconds": 2, "timeoutSeconds": 1, "failureThreshold": 30}
_EGRESS_PORTS: Final = _INGRESS_PORTS[1:]


def gateway_objects(
    operator: Operator, component: str, gateway: GatewayComponent, values: Gateway, mesh: MeshConfig
) -> list[dict[str, Any]]:
    """In the order of application. `mesh`: what the operator says of it."""
    return _Gateway(operator, component, gateway, values, mesh).objects()


class _Gateway:
    def __init__(
        self, operator: Operator, component: str, gateway: GatewayComponent, values: Gateway, mesh: MeshConfig
    ) -> None:
        self._mesh = mesh
        self._operator = operator
        self._shared = operator.values.global_
        self._is_ingress = component == INGRESS
        self._values = values
        self._component = gateway
        default = "istio-ingressgateway" if self._is_ingress else "istio-egressgateway"
        # values.gateways.X.name names the one gateway that has the component's own name.
        self._name = (values.name if gateway.name == default else "") or gateway.name
        self._namespace = gateway.namespace or operator.namespace
        self._owner = owner_labels(component, operator.revision, operator.namespace)
        istio = "ingressgateway" if self._is_ingress else "egressgateway"
        self._selector = {"app": self._name, "istio": istio, **values.labels, **gateway.label}

    def objects(self) -> list[dict[str, Any]]:
        found = [self._service_account(), *self._rights(), self._service(), self._deployment()]
        if self._shared.default_pod_disruption_budget.enabled:
            found.append(budget(self._metadata(), self._selector))
        if self._values.autoscale_enabled:
            found.append(autoscaler(self._values, self._metadata()))
        return found

    def _metadata(self, name: str = "") -> dict[str, Any]:
        return {
            "name": name or self._name,
            "namespace": self._namespace,
            "labels": {**self._owner, **self._selector},
        }

    @property
    def _account(self) -> str:
        return f"{self._name}-service-account"

    def _service_account(self) -> dict[str, Any]:
        return service_account(self._metadata(self._account), self._values, self._shared)

    def _rights(self) -> list[dict[str, Any]]:
        """To the Secrets that Gateways name: the control plane sends them only to accounts that may list them."""
        rules = [rule(("",), ("secrets",), ("get", "list", "watch"))]
        return role_and_binding("Role", self._metadata(f"{self._name}-sds"), rules, self._account, self._namespace)

    def _ports(self) -> list[dict[str, Any]]:
        chosen = self._component.k8s.service
        ports: Sequence[ServicePort] = self._values.ports
        if chosen is not None and chosen.ports is not None:
            ports = chosen.ports
        if not ports:
            ports = _INGRESS_PORTS if self._is_ingress else _EGRESS_PORTS
        return [port.render() for port in ports]

    def _service(self) -> dict[str, Any]:
        values = self._values
        metadata = self._metadata()
        if values.service_annotations:
            metadata["annotations"] = dict(values.service_annotations)
        spec: dict[str, Any] = {
            "type": values.type or ("LoadBalancer" if self._is_ingress else "ClusterIP"),
            "selector": dict(self._selector),
            "ports": self._ports(),
        }
        for name, value in (
            ("loadBalancerIP", values.load_balancer_ip),
            ("loadBalancerSourceRanges", list(values.load_balancer_source_ranges)),
            ("loadBalancerClass", values.load_balancer_class),
            ("externalTrafficPolicy", values.external_traffic_policy),
            ("externalIPs", list(values.external_ips)),
            ("ipFamilyPolicy", values.ip_family_policy),
            ("ipFamilies", list(values.ip_families)),
        ):
            if value:
                spec[name] = value
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}

    def _deployment(self) -> dict[str, Any]:
        return deployment(self._metadata(), self._selector, self._template(), self._values)

    def _template(self) -> dict[str, Any]:
        values, shared = self._values, self._shared
        template = gateway_pod(
            GatewayPod(
                name=self._name,
                namespace=self._namespace,
                service_account=self._account,
                labels={**pod_labels(self._owner), "istio.io/dataplane-mode": "none", **self._selector},
                annotations=values.pod_annotations,
                ports=self._container_ports(),
                environment=values.env,
                resources=values.resources.render() or shared.default_resources.render(),
                network=values.env.get("ISTIO_META_NETWORK", ""),
            ),
            self._mesh,
            self._injection_values(),
        )
        pod = template["spec"]
        pod["containers"][0]["readinessProbe"] |= _READINESS
        # The proxy asks nothing of the API server, and whoever breaks into it shall not by its rights.
        pod["automountServiceAccountToken"] = False
        self._secure(pod)
        pod |= scheduling(values, shared)
        self._mount(pod)
        return template

    def _injection_values(self) -> Values:
        """With the gateway's own image, if the component names one."""
        component, values = self._component, self._operator.values.for_injection()
        hub, tag = component.hub or values.global_.hub, component.tag or values.global_.tag
        return msgspec.structs.replace(values, global_=msgspec.structs.replace(values.global_, hub=hub, tag=tag))

    def _container_ports(self) -> list[dict[str, Any]]:
        """What the Service's ports lead to, each once."""
        found: dict[tuple[int, str], None] = {}
        for port in self._ports():
            target = port["targetPort"]
            # A target by name is a port that something else of the pod declares.
            if isinstance(target, int):
                found[target, port["protocol"]] = None
        return [{"containerPort": number, "protocol": protocol} for number, protocol in found]

    def _secure(self, pod: dict[str, Any]) -> None:
        """No user but the proxy's, and ports below 1024 by a sysctl of the pod instead of a capability."""
        context = pod["securityContext"]
        gateways = self._operator.values.gateways
        if gateways.security_context:
            pod["securityContext"] = dict(gateways.security_context)
            return
        if self._shared.platform.value == "openshift":
            for name in ("runAsUser", "runAsGroup", "fsGroup"):
                context.pop(name, None)
                pod["containers"][0].get("securityContext", {}).pop(name, None)
        context["sysctls"] = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
        context["seccompProfile"] = dict(gateways.seccomp_profile) or {"type": "RuntimeDefault"}

    def _mount(self, pod: dict[str, Any]) -> None:
        container = pod["containers"][0]
        for secret in self._values.secret_volumes:
            volume = {"name": secret.name, "secret": {"secretName": secret.secret_name, "optional": True}}
            pod["volumes"].append(volume)
            container["volumeMounts"].append({"name": secret.name, "mountPath": secret.mount_path, "readOnly": True})
        for config in self._values.config_volumes:
            map_ = {"name": config.config_map_name, "optional": True}
            pod["volumes"].append({"name": config.name, "configMap": map_})
            if config.mount_path:
                mount = {"name": config.name, "mountPath": config.mount_path, "readOnly": True}
                container["volumeMounts"].append(mount)

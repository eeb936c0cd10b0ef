"""The control plane: its account and rights, configuration, Deployment, Service and webhooks."""

from __future__ import annotations

from typing import Any, Final

from lateen.injection.images import tag
from lateen.install.names import PILOT, REVISION, owner_labels, pod_labels
from lateen.install.rendering.deployments import deployment, scheduling, service_account
from lateen.install.rendering.injector import injector_config_text, injector_values_text
from lateen.install.rendering.mesh import discovery_address, mesh_config, mesh_config_text, mesh_networks_text
from lateen.install.rendering.rights import cluster_rules, namespace_rules, role_and_binding
from lateen.install.rendering.scaling import autoscaler, budget
from lateen.install.rendering.webhooks import injecting_webhooks, validating_webhooks
from lateen.install.values.operator import Operator
from lateen.model.revision import of_revision

_USER: Final = 1337
_PORTS: Final = (("grpc-xds", 15010, None), ("https-dns", 15012, None), ("https-webhook", 443, 15017))
_MONITORING: Final = ("http-monitoring", 15014, None)


def control_plane_objects(operator: Operator) -> list[dict[str, Any]]:
    """In the order of application."""
    return _ControlPlane(operator).objects()


class _ControlPlane:
    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._shared = operator.values.global_
        self._pilot = operator.values.pilot
        self._name = of_revision("istiod", operator.revision)
        self._labels = owner_labels(PILOT, operator.revision, operator.namespace)

    def objects(self) -> list[dict[str, Any]]:
        found = [self._service_account(), *self._rights()]
        if self._pilot.config_map:
            data = {"mesh": mesh_config_text(self._operator), "meshNetworks": mesh_networks_text(self._operator)}
            found.append(self._config_map("istio", data))
        if not self._shared.omit_sidecar_injector_config_map:
            data = {
                "config": injector_config_text(self._operator),
                "values": injector_values_text(self._operator),
            }
            found.append(self._config_map("istio-sidecar-injector", data))
        found += [self._service(), self._deployment()]
        if self._shared.default_pod_disruption_budget.enabled:
            found.append(budget(self._metadata(self._name), self._selector()))
        if self._pilot.autoscale_enabled:
            found.append(autoscaler(self._pilot, self._metadata(self._name)))
        if not self._shared.operator_manage_webhooks:
            found += injecting_webhooks(self._operator, self._labels)
        if self._shared.config_validation:
            found += validating_webhooks(self._operator, self._labels)
        return found

    def _metadata(self, name: str, *, cluster: bool = False) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name}
        if not cluster:
            metadata["namespace"] = self._operator.namespace
        return {**metadata, "labels": {**self._labels, "app": "istiod"}}

    def _service_account(self) -> dict[str, Any]:
        return service_account(self._metadata(self._name), self._pilot, self._shared)

    def _rights(self) -> list[dict[str, Any]]:
        everywhere = f"{of_revision('istiod-clusterrole', self._operator.revision)}-{self._operator.namespace}"
        cluster, own = self._metadata(everywhere, cluster=True), self._metadata(self._name)
        account = self._name, self._operator.namespace
        return [
            *role_and_binding("ClusterRole", cluster, cluster_rules(), *account),
            *role_and_binding("Role", own, namespace_rules(), *account),
        ]

    def _config_map(self, name: str, data: dict[str, str]) -> dict[str, Any]:
        metadata = self._metadata(of_revision(name, self._operator.revision))
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def _selector(self) -> dict[str, str]:
        if self._operator.revision:
            return {"app": "istiod", REVISION: self._operator.revision}
        # Not by revision: Deployments that Istio has made select by this, and a selector cannot change.
        return {"app": "istiod", "istio": "pilot"}

    def _service(self) -> dict[str, Any]:
        metadata = self._metadata(self._name)
        metadata["labels"]["istio"] = "pilot"
        if self._pilot.service_annotations:
            metadata["annotations"] = dict(self._pilot.service_annotations)
        ports = [
            {"name": name, "port": port, "targetPort": target or port, "protocol": "TCP"}
            for name, port, target in (*_PORTS, _MONITORING)
        ]
        spec: dict[str, Any] = {"ports": ports, "selector": self._selector()}
        if self._pilot.ip_family_policy:
            spec["ipFamilyPolicy"] = self._pilot.ip_family_policy
        if self._pilot.ip_families:
            spec["ipFamilies"] = list(self._pilot.ip_families)
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}

    def _deployment(self) -> dict[str, Any]:
        pilot = self._pilot
        metadata = self._metadata(self._name)
        metadata["labels"] |= {"istio": "pilot", **pilot.deployment_labels}
        template = {"metadata": self._pod_metadata(), "spec": self._pod()}
        return deployment(metadata, self._selector(), template, pilot)

    def _pod_metadata(self) -> dict[str, Any]:
        labels = {
            **pod_labels(self._labels),
            "app": "istiod",
            "istio": "istiod" if self._operator.revision else "pilot",
            "sidecar.istio.io/inject": "false",
            "istio.io/dataplane-mode": "none",
            **self._pilot.pod_labels,
        }
        annotations = {"sidecar.istio.io/inject": "false"}
        if mesh_config(self._operator).get("enablePrometheusMerge"):
            annotations |= {"prometheus.io/port": "15014", "prometheus.io/scrape": "true"}
        return {"labels": labels, "annotations": {**annotations, **self._pilot.pod_annotations}}

    def _pod(self) -> dict[str, Any]:
        pilot, shared = self._pilot, self._shared
        context: dict[str, Any] = {"seccompProfile": dict(pilot.seccomp_profile) or {"type": "RuntimeDefault"}}
        if shared.platform.value != "openshift":
            context["fsGroup"] = _USER
        spec: dict[str, Any] = {
            "serviceAccountName": self._name,
            "securityContext": context,
            "containers": [self._container()],
            "volumes": [*self._volumes(), *map(dict, pilot.volumes)],
            **scheduling(pilot, shared),
        }
        if pilot.init_containers:
            spec["initContainers"] = list(pilot.init_containers)
        return spec

    def _container(self) -> dict[str, Any]:
        pilot, shared = self._pilot, self._shared
        security: dict[str, Any] = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
        }
        if shared.platform.value != "openshift":
            security |= {"runAsUser": _USER, "runAsGroup": _USER}
        container: dict[str, Any] = {
            "name": "discovery",
            "image": self._image(),
            "args": self._arguments(),
            "ports": [
                {"name": name, "containerPort": port, "protocol": "TCP"}
                for name, port in (
                    ("http-debug", 8080),
                    ("grpc-xds", 15010),
                    ("tls-xds", 15012),
                    ("https-webhooks", 15017),
                    ("http-monitoring", 15014),
                )
            ],
            "readinessProbe": {
                "httpGet": {"path": "/ready", "port": 8080},
                "initialDelaySeconds": 1,
                "periodSeconds": 3,
                "timeoutSeconds": 5,
            },
            "env": self._environment(),
            "resources": pilot.resources.render() or shared.default_resources.render(),
            "securityContext": security,
            "volumeMounts": [*self._mounts(), *map(dict, pilot.volume_mounts)],
        }
        if shared.image_pull_policy:
            container["imagePullPolicy"] = shared.image_pull_policy
        return container

    def _image(self) -> str:
        pilot, shared = self._pilot, self._shared
        component = self._operator.components.pilot
        if "/" in pilot.image:
            return pilot.image
        hub = component.hub or pilot.hub or shared.hub
        return f"{hub}/{pilot.image}:{tag(component.tag or pilot.tag or shared.tag, pilot.variant or shared.variant)}"

    def _arguments(self) -> list[str]:
        pilot, shared = self._pilot, self._shared
        found = ["discovery", "--monitoringAddr=:15014"]
        if shared.logging.level:
            found.append(f"--log_output_level={shared.logging.level}")
        if shared.log_as_json:
            found.append("--log_as_json")
        found += ["--domain", shared.proxy.cluster_domain]
        found += ["--keepaliveMaxServerConnectionAge", pilot.keepalive_max_server_connection_age]
        return [*found, *pilot.extra_container_args]

    def _environment(self) -> list[dict[str, Any]]:
        pilot = self._pilot
        fields = (
            ("POD_NAME", "metadata.name"),
            ("POD_NAMESPACE", "metadata.namespace"),
            ("SERVICE_ACCOUNT", "spec.serviceAccountName"),
        )
        found: dict[str, dict[str, Any]] = {
            "REVISION": {"value": self._operator.revision or "default"},
            "PILOT_CERT_PROVIDER": {"value": self._shared.pilot_cert_provider},
            **{name: {"valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}} for name, path in fields},
            "ISTIOD_ADDR": {"value": discovery_address(self._operator)},
            "CLUSTER_ID": {"value": self._shared.multi_cluster.cluster_name or "Kubernetes"},
            **{name: {"value": value} for name, value in pilot.env.items()},
        }
        further = [dict(each) for each in pilot.env_var_from]
        names = {each.get("name") for each in further}
        return [{"name": name, **value} for name, value in found.items() if name not in names] + further

    def _mounts(self) -> list[dict[str, Any]]:
        return [
            {"name": "istio-token", "mountPath": "/var/run/secrets/tokens", "readOnly": True},
            {"name": "local-certs", "mountPath": "/var/run/secrets/istio-dns"},
            {"name": "cacerts", "mountPath": "/etc/cacerts", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ]

    def _volumes(self) -> list[dict[str, Any]]:
        token = {
            "audience": self._shared.sds.token.aud,
            "expirationSeconds": 43200,
            "path": "istio-token",
        }
        return [
            {"name": "local-certs", "emptyDir": {"medium": "Memory"}},
            {"name": "istio-token", "projected": {"sources": [{"serviceAccountToken": token}]}},
            # Where operators plug an authority of their own in.
            {"name": "cacerts", "secret": {"secretName": "cacerts", "optional": True}},
            # Sockets, and the configuration of the Envoy in front: its root file system is read-only.
            {"name": "tmp", "emptyDir": {"medium": "Memory"}},
        ]

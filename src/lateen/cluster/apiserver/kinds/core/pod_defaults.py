"""What Kubernetes fills in for a pod, and for the pod template of every workload.

Source: k8s.io/kubernetes `pkg/apis/core/v1/defaults.go`.
"""

from __future__ import annotations

from lateen.cluster.apiserver.kinds.core.container_defaults import default_container, request_limits
from lateen.cluster.apiserver.kinds.core.volume_defaults import default_volume
from lateen.cluster.apiserver.kinds.fields import canonical_quantities, fill, mapping, objects, section
from lateen.cluster.objects import Obj


def default_pod_spec(spec: Obj) -> None:
    fill(
        spec,
        restartPolicy="Always",
        dnsPolicy="ClusterFirst",
        terminationGracePeriodSeconds=30,
        schedulerName="default-scheduler",
    )
    section(spec, "securityContext")
    for name in ("initContainers", "containers", "ephemeralContainers"):
        for container in objects(spec, name):
            default_container(container)
    for volume in objects(spec, "volumes"):
        default_volume(volume)
    canonical_quantities(mapping(spec, "resources"), "limits", "requests")
    canonical_quantities(spec, "overhead")
    _default_service_account(spec)


def default_pod_template(template: Obj) -> None:
    """A workload's template: a pod spec's defaults, and nothing that depends on being one."""
    section(template, "metadata")
    default_pod_spec(section(template, "spec"))


def default_pod(pod: Obj) -> None:
    """A pod itself has defaults that templates have not: links, requests by limits, host ports."""
    spec = section(pod, "spec")
    fill(spec, enableServiceLinks=True)
    default_pod_spec(spec)
    for container in objects(spec, "initContainers") + objects(spec, "containers"):
        request_limits(section(container, "resources"))
    if isinstance(spec.get("resources"), dict):
        request_limits(spec["resources"])
    if spec.get("hostNetwork"):
        _default_host_ports(spec)


def _default_host_ports(spec: Obj) -> None:
    """On the host's network a container port is the host's port."""
    for name in ("containers", "initContainers"):
        for container in objects(spec, name):
            for port in objects(container, "ports"):
                if not port.get("hostPort"):
                    port["hostPort"] = port.get("containerPort")


def _default_service_account(spec: Obj) -> None:
    """`serviceAccount` is the deprecated alias of `serviceAccountName`: both are always the same."""
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec["serviceAccountName"] = name
        spec["serviceAccount"] = name


def host_network_ports(spec: Obj) -> list[tuple[str, int, str]]:
    """(protocol, host port, host IP) of every host port the pod takes."""
    return [
        (port.get("protocol") or "TCP", port["hostPort"], port.get("hostIP") or "")
        for container in objects(spec, "containers") + objects(spec, "initContainers")
        for port in objects(container, "ports")
        if port.get("hostPort")
    ]

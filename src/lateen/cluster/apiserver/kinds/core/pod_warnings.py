"""What Kubernetes warns about in a pod spec that is valid all the same, and what this cluster does not do.

Source: k8s.io/kubernetes `pkg/api/pod/warnings.go`.
"""

from __future__ import annotations

from lateen.cluster.apiserver.kinds.core.unsupported_fields import unsupported_warnings
from lateen.cluster.apiserver.kinds.fields import indexed, mapping, number, text
from lateen.cluster.objects import Obj
from lateen.cluster.quantity import parse

_DEPRECATED_LABELS = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}


def pod_warnings(spec: Obj, path: str = "spec") -> list[str]:
    found = [
        f"{path}.nodeSelector[{label}]: {_DEPRECATED_LABELS[label]}"
        for label in mapping(spec, "nodeSelector")
        if label in _DEPRECATED_LABELS
    ]
    if number(spec, "terminationGracePeriodSeconds", 30) < 0:
        found.append(
            f"{path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
        )
    port_names: dict[str, str] = {}
    for field in ("initContainers", "containers"):
        for at, container in indexed(spec, field, path):
            found += _env_warnings(container, at)
            found += _port_warnings(container, at)
            found += _fraction_warnings(container, at)
            for port_at, port in indexed(container, "ports", at) if field == "containers" else ():
                name = text(port, "name")
                if name and name in port_names and not port_names[name].startswith(f"{at}."):
                    found.append(
                        f'{port_at}: duplicate port name "{name}" with {port_names[name]}, services and probes '
                        f"that select ports by name will use {port_names[name]}"
                    )
                port_names.setdefault(name, port_at)
    for at, alias in indexed(spec, "hostAliases", path):
        if not text(alias, "ip"):
            found.append(f"{at}.ip: empty")
    return found + unsupported_warnings(spec, path)


def _env_warnings(container: Obj, path: str) -> list[str]:
    found = []
    seen: dict[str, Obj] = {}
    for at, variable in indexed(container, "env", path):
        name = text(variable, "name")
        # A value that refers to the one it hides (`PATH=/x:$(PATH)`) is meant.
        if name in seen and f"$({name})" not in text(variable, "value"):
            found.append(f'{at}: hides previous definition of "{name}", which may be dropped when using apply')
        seen[name] = variable
    return found


def _port_warnings(container: Obj, path: str) -> list[str]:
    found = []
    seen: dict[tuple[int, str, int, str], str] = {}
    for at, port in indexed(container, "ports", path):
        key = (number(port, "containerPort"), text(port, "protocol"), number(port, "hostPort"), text(port, "hostIP"))
        if key in seen:
            found.append(f"{at}: duplicate port definition with {seen[key]}")
        seen.setdefault(key, at)
    return found


def _fraction_warnings(container: Obj, path: str) -> list[str]:
    found = []
    for field in ("requests", "limits"):
        for resource, amount in mapping(mapping(container, "resources"), field).items():
            if resource in ("memory", "ephemeral-storage") and not parse(amount).is_whole:
                at = f"{path}.resources.{field}[{resource}]"
                found.append(f'{at}: fractional byte value "{amount}" is invalid, must be an integer')
    return found

"""The rules of a pod spec, for pods and for the templates of workloads.

Source: k8s.io/kubernetes `pkg/apis/core/validation/validation.go`.
"""

from __future__ import annotations

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.kinds.core.container_validation import (
    validate_container,
    validate_init_container,
    validate_main_container,
)
from lateen.cluster.apiserver.kinds.core.scheduling_validation import validate_scheduling
from lateen.cluster.apiserver.kinds.core.security_context_validation import validate_pod_security_context
from lateen.cluster.apiserver.kinds.core.volume_validation import validate_volumes
from lateen.cluster.apiserver.kinds.fields import indexed, mapping, number, objects, strings, text
from lateen.cluster.apiserver.kinds.metadata_validation import validate_annotations, validate_labels
from lateen.cluster.objects import Obj
from lateen.cluster.status import Cause, duplicate, forbidden_field, invalid_value, not_supported, required

_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")


def validate_pod_template(template: Obj, path: str, restart_policies: tuple[str, ...] = ("Always",)) -> list[Cause]:
    """A workload's template; `restart_policies` are the ones its controller can live with."""
    meta, spec = mapping(template, "metadata"), mapping(template, "spec")
    found = validate_labels(mapping(meta, "labels"), f"{path}.labels")
    found += validate_annotations(mapping(meta, "annotations"), f"{path}.annotations")
    found += validate_pod_spec(spec, f"{path}.spec")
    if objects(spec, "ephemeralContainers"):
        detail = "ephemeral containers not allowed in pod template"
        found.append(forbidden_field(f"{path}.spec.ephemeralContainers", detail))
    policy = spec.get("restartPolicy")
    if policy in _RESTART_POLICIES and policy not in restart_policies:
        found.append(not_supported(f"{path}.spec.restartPolicy", policy, restart_policies))
    if restart_policies == ("Always",) and spec.get("activeDeadlineSeconds") is not None:
        found.append(
            forbidden_field(
                f"{path}.spec.activeDeadlineSeconds", "activeDeadlineSeconds in ReplicaSet is not Supported"
            )
        )
    return found


def validate_pod_spec(spec: Obj, path: str) -> list[Cause]:
    volumes, found = validate_volumes(spec, path)
    found += _validate_containers(spec, path, volumes)
    policy = spec.get("restartPolicy")
    if policy not in _RESTART_POLICIES:
        found.append(not_supported(f"{path}.restartPolicy", policy, _RESTART_POLICIES))
    found += validate_pod_security_context(mapping(spec, "securityContext"), spec, f"{path}.securityContext")
    found += _validate_dns(spec, path)
    found += _validate_names(spec, path)
    found += validate_scheduling(spec, path)
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= 2**31 - 1:
        detail = "must be between 1 and 2147483647, inclusive"
        found.append(invalid_value(f"{path}.activeDeadlineSeconds", deadline, detail))
    if spec.get("preemptionPolicy") not in (None, "Never", "PreemptLowerPriority"):
        policies = ["Never", "PreemptLowerPriority"]
        found.append(not_supported(f"{path}.preemptionPolicy", spec["preemptionPolicy"], policies))
    return found


def _validate_containers(spec: Obj, path: str, volumes: set[str]) -> list[Cause]:
    found = []
    grace = number(spec, "terminationGracePeriodSeconds", 30)
    seen: set[str] = set()
    host_ports: set[tuple[str, str, int]] = set()
    if not objects(spec, "containers"):
        found.append(required(f"{path}.containers"))
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for at, container in indexed(spec, field, path):
            found += validate_container(container, at, volumes)
            name = text(container, "name")
            if name and name in seen:
                found.append(duplicate(f"{at}.name", name))
            seen.add(name)
            if field == "containers":
                found += validate_main_container(container, at, grace)
                found += _validate_host_ports(container, at, host_ports, bool(spec.get("hostNetwork")))
            elif field == "initContainers":
                found += validate_init_container(container, at, grace)
            else:
                found += _validate_ephemeral(container, at, spec)
    return found


def _validate_host_ports(
    container: Obj, path: str, taken: set[tuple[str, str, int]], host_network: bool
) -> list[Cause]:
    found = []
    for at, port in indexed(container, "ports", path):
        host = number(port, "hostPort")
        if host_network and host != number(port, "containerPort"):
            detail = "must match `hostPort` when `hostNetwork` is true"
            found.append(invalid_value(f"{at}.containerPort", number(port, "containerPort"), detail))
        if host:
            key = (text(port, "protocol"), text(port, "hostIP"), host)
            if key in taken:
                found.append(duplicate(f"{at}.hostPort", "/".join(str(part) for part in key)))
            taken.add(key)
    return found


_EPHEMERAL_FORBIDDEN = (
    "ports",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "lifecycle",
)


def _validate_ephemeral(container: Obj, path: str, spec: Obj) -> list[Cause]:
    found = [
        forbidden_field(f"{path}.{field}", "cannot be set for an Ephemeral Container")
        for field in _EPHEMERAL_FORBIDDEN
        if container.get(field)
    ]
    if any(mapping(container, "resources").values()):
        found.append(forbidden_field(f"{path}.resources", "cannot be set for an Ephemeral Container"))
    target = text(container, "targetContainerName")
    if target and target not in {
        text(c, "name") for c in objects(spec, "containers") + objects(spec, "initContainers")
    }:
        found.append(Cause("FieldValueNotFound", f'Not found: "{target}"', f"{path}.targetContainerName"))
    return found


def _validate_dns(spec: Obj, path: str) -> list[Cause]:
    found = []
    policy, config = spec.get("dnsPolicy"), mapping(spec, "dnsConfig")
    if policy not in _DNS_POLICIES:
        found.append(not_supported(f"{path}.dnsPolicy", policy, _DNS_POLICIES))
    servers = strings(config, "nameservers")
    if policy == "None" and not servers:
        detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        found.append(required(f"{path}.dnsConfig.nameservers" if config else f"{path}.dnsConfig", detail))
    if len(servers) > 3:
        detail = "must not have more than 3 nameservers"
        found.append(invalid_value(f"{path}.dnsConfig.nameservers", servers, detail))
    for i, server in enumerate(servers):
        found += [invalid_value(f"{path}.dnsConfig.nameservers[{i}]", server, e) for e in names.ip_address(server)]
    searches = strings(config, "searches")
    if len(searches) > 32:
        detail = "must not have more than 32 search paths"
        found.append(invalid_value(f"{path}.dnsConfig.searches", searches, detail))
    for at, option in indexed(config, "options", f"{path}.dnsConfig"):
        if not text(option, "name"):
            found.append(required(f"{at}.name"))
    return found


def _validate_names(spec: Obj, path: str) -> list[Cause]:
    found = []
    for field, rule in (
        ("serviceAccountName", names.dns_subdomain),
        ("nodeName", names.dns_subdomain),
        ("hostname", names.dns_label),
        ("subdomain", names.dns_label),
        ("priorityClassName", names.dns_subdomain),
        ("runtimeClassName", names.dns_subdomain),
    ):
        value = text(spec, field)
        if value:
            found += [invalid_value(f"{path}.{field}", value, e) for e in rule(value)]
    for at, alias in indexed(spec, "hostAliases", path):
        ip = text(alias, "ip")
        found += [invalid_value(f"{at}.ip", ip, e) for e in names.ip_address(ip)]
        for i, host in enumerate(strings(alias, "hostnames")):
            found += [invalid_value(f"{at}.hostnames[{i}]", host, e) for e in names.dns_subdomain(host)]
    for at, gate in indexed(spec, "readinessGates", path):
        condition = text(gate, "conditionType")
        found += [invalid_value(f"{at}.conditionType", condition, e) for e in names.qualified_name(condition)]
    for at, secret in indexed(spec, "imagePullSecrets", path):
        if not text(secret, "name"):
            found.append(required(f"{at}.name"))
    return found

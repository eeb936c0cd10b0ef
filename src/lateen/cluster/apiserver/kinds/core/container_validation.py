"""The rules of one container, beyond its schema.

Source: k8s.io/kubernetes `pkg/apis/core/validation/validation.go`.
"""

from __future__ import annotations

from collections.abc import Collection

from lateen.cluster.apiserver import names
from lateen.cluster.apiserver.kinds.core.probe_validation import validate_lifecycle, validate_probe
from lateen.cluster.apiserver.kinds.core.resource_validation import validate_resources
from lateen.cluster.apiserver.kinds.core.security_context_validation import validate_container_security_context
from lateen.cluster.apiserver.kinds.fields import indexed, mapping, number, text
from lateen.cluster.objects import Obj
from lateen.cluster.status import (
    Cause,
    duplicate,
    field_not_found,
    forbidden_field,
    invalid_value,
    not_supported,
    required,
)

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_FIELD_PATHS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
_SOURCES = ("configMapKeyRef", "fieldRef", "resourceFieldRef", "secretKeyRef")


def validate_container(container: Obj, path: str, volumes: Collection[str]) -> list[Cause]:
    """What any container must be; `volumes` are the names of the pod's volumes."""
    found = []
    name, image = text(container, "name"), text(container, "image")
    if not name:
        found.append(required(f"{path}.name"))
    else:
        found += [invalid_value(f"{path}.name", name, e) for e in names.dns_label(name)]
    if not image:
        found.append(required(f"{path}.image"))
    elif image != image.strip():
        found.append(invalid_value(f"{path}.image", image, "must not have leading or trailing whitespace"))
    found += _one_of(container, path, "terminationMessagePolicy", ("FallbackToLogsOnError", "File"))
    found += _one_of(container, path, "imagePullPolicy", ("Always", "IfNotPresent", "Never"))
    found += _validate_ports(container, path)
    found += _validate_env(container, path)
    found += _validate_mounts(container, path, volumes)
    found += validate_resources(mapping(container, "resources"), f"{path}.resources")
    found += validate_container_security_context(mapping(container, "securityContext"), f"{path}.securityContext")
    return found


def validate_main_container(container: Obj, path: str, grace: int) -> list[Cause]:
    """Probes and lifecycle, which app containers and sidecars have."""
    found = []
    if container.get("restartPolicy") is not None and "initContainers" not in path:
        found.append(forbidden_field(f"{path}.restartPolicy", "may not be set for non-init containers"))
    found += validate_lifecycle(mapping(container, "lifecycle"), f"{path}.lifecycle", grace)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(probe), dict):
            found += validate_probe(container[probe], f"{path}.{probe}", probe)
    return found


def validate_init_container(container: Obj, path: str, grace: int) -> list[Cause]:
    """A plain init container has no probes or lifecycle; one with `restartPolicy: Always` is a sidecar and may."""
    policy = container.get("restartPolicy")
    if policy == "Always":
        return validate_main_container(container, path, grace)
    found = []
    if policy is not None:
        found.append(not_supported(f"{path}.restartPolicy", policy, ["Always"]))
    for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(field) is not None:
            detail = "may not be set for init containers without restartPolicy=Always"
            found.append(forbidden_field(f"{path}.{field}", detail))
    return found


def _one_of(parent: Obj, path: str, field: str, allowed: tuple[str, ...]) -> list[Cause]:
    value = parent.get(field)
    return [] if value is None or value in allowed else [not_supported(f"{path}.{field}", value, allowed)]


def _validate_ports(container: Obj, path: str) -> list[Cause]:
    found = []
    seen: set[str] = set()
    for at, port in indexed(container, "ports", path):
        name = text(port, "name")
        if name:
            errors = names.port_name(name)
            found += [invalid_value(f"{at}.name", name, e) for e in errors]
            if not errors and name in seen:
                found.append(duplicate(f"{at}.name", name))
            seen.add(name)
        target = number(port, "containerPort")
        if not target:
            found.append(required(f"{at}.containerPort"))
        else:
            found += [invalid_value(f"{at}.containerPort", target, e) for e in names.port_number(target)]
        host = number(port, "hostPort")
        if host:
            found += [invalid_value(f"{at}.hostPort", host, e) for e in names.port_number(host)]
        found += _one_of(port, at, "protocol", _PROTOCOLS)
    return found


def _validate_env(container: Obj, path: str) -> list[Cause]:
    found = []
    for at, variable in indexed(container, "env", path):
        name = text(variable, "name")
        if not name:
            found.append(required(f"{at}.name"))
        else:
            found += [invalid_value(f"{at}.name", name, e) for e in names.env_name(name)]
        source = variable.get("valueFrom")
        if isinstance(source, dict):
            found += _validate_env_source(variable, source, f"{at}.valueFrom")
    for at, source in indexed(container, "envFrom", path):
        references = [field for field in ("configMapRef", "secretRef") if isinstance(source.get(field), dict)]
        if len(references) != 1:
            detail = (
                "may not have more than one field specified at a time"
                if references
                else ("must specify one of: `configMapRef` or `secretRef`")
            )
            found.append(invalid_value(at, "", detail))
        for field in references:
            if not text(source[field], "name"):
                found.append(required(f"{at}.{field}.name"))
    return found


def _validate_env_source(variable: Obj, source: Obj, path: str) -> list[Cause]:
    given = [field for field in _SOURCES if isinstance(source.get(field), dict)]
    found = []
    if not given:
        listed = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        found.append(invalid_value(path, "", f"must specify one of: {listed}"))
    elif len(given) > 1:
        found.append(invalid_value(path, "", "may not have more than one field specified at a time"))
    if given and variable.get("value"):
        found.append(invalid_value(path, "", "may not be specified when `value` is not empty"))
    if "fieldRef" in given:
        found += validate_field_reference(source["fieldRef"], f"{path}.fieldRef", _FIELD_PATHS)
    for field in ("configMapKeyRef", "secretKeyRef"):
        if field in given:
            if not text(source[field], "name"):
                found.append(required(f"{path}.{field}.name"))
            key = text(source[field], "key")
            if not key:
                found.append(required(f"{path}.{field}.key"))
            else:
                found += [invalid_value(f"{path}.{field}.key", key, e) for e in names.config_key(key)]
    if "resourceFieldRef" in given and not text(source["resourceFieldRef"], "resource"):
        found.append(required(f"{path}.resourceFieldRef.resource"))
    return found


def validate_field_reference(reference: Obj, path: str, allowed: tuple[str, ...]) -> list[Cause]:
    """A downward API path: one of `allowed`, or one label or annotation by key."""
    field_path = text(reference, "fieldPath")
    if not text(reference, "apiVersion"):
        return [required(f"{path}.apiVersion")]
    if not field_path:
        return [required(f"{path}.fieldPath")]
    for whole in ("metadata.labels", "metadata.annotations"):
        if field_path.startswith(whole + "['") and field_path.endswith("']"):
            key = field_path[len(whole) + 2 : -2]
            return [invalid_value(path, key, e) for e in names.qualified_name(key)]
    return [] if field_path in allowed else [not_supported(f"{path}.fieldPath", field_path, sorted(allowed))]


def _validate_mounts(container: Obj, path: str, volumes: Collection[str]) -> list[Cause]:
    found = []
    seen: set[str] = set()
    for at, mount in indexed(container, "volumeMounts", path):
        name, where = text(mount, "name"), text(mount, "mountPath")
        if not name:
            found.append(required(f"{at}.name"))
        elif name not in volumes:
            found.append(field_not_found(f"{at}.name", name))
        if not where:
            found.append(required(f"{at}.mountPath"))
        elif where in seen:
            found.append(invalid_value(f"{at}.mountPath", where, "must be unique"))
        seen.add(where)
        if mount.get("subPath") and mount.get("subPathExpr"):
            found.append(
                invalid_value(
                    f"{at}.subPathExpr", mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive"
                )
            )
        for field in ("subPath", "subPathExpr"):
            found += validate_descending_path(text(mount, field), f"{at}.{field}")
        found += _one_of(mount, at, "mountPropagation", ("Bidirectional", "HostToContainer", "None"))
        if mount.get("mountPropagation") == "Bidirectional" and not mapping(container, "securityContext").get(
            "privileged"
        ):
            detail = "Bidirectional mount propagation is available only to privileged containers"
            found.append(forbidden_field(f"{at}.mountPropagation", detail))
    return found


def validate_descending_path(value: str, path: str) -> list[Cause]:
    """A path inside a volume: relative, and never up."""
    if value.startswith("/"):
        return [invalid_value(path, value, "must be a relative path")]
    if ".." in value.split("/"):
        return [invalid_value(path, value, "must not contain '..'")]
    return []

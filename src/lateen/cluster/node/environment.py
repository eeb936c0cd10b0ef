"""A container's environment variables, and `$(NAME)` in its values, command and arguments.

Source: the Kubernetes API reference of EnvVar and the kubelet's order: services, then envFrom, then env.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from lateen.cluster.node.downward import DownwardError, field_value, resource_value
from lateen.cluster.objects import Obj, name_of, namespace_of

_REFERENCE = re.compile(r"\$(\$|\(([^()]*)\))")


class ConfigError(ValueError):
    """The container cannot be configured yet (waiting reason CreateContainerConfigError); it is tried again."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where values come from. The look-ups give None for what does not exist (or is not known yet)."""

    config_map: Callable[[str, str], Obj | None]
    secret: Callable[[str, str], Obj | None]
    allocatable: Mapping[str, str]
    """The node's, for limits that the container does not set."""


def expand(text: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` becomes the variable's value, `$$` a dollar; a reference to an unknown name stays as it is."""

    def replace(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return env.get(match[2], match[0])

    return _REFERENCE.sub(replace, text)


def service_environment(services: Iterable[Obj], namespace: str, links: bool) -> dict[str, str]:
    """`NAME_SERVICE_HOST` and its like: of the namespace's services when `links`, of `kubernetes` always."""
    env: dict[str, str] = {}
    for service in sorted(services, key=lambda s: (namespace_of(s) == namespace, name_of(s))):
        master = namespace_of(service) == "default" and name_of(service) == "kubernetes"
        if not master and not (links and namespace_of(service) == namespace):
            continue
        address = service["spec"].get("clusterIP")
        ports = service["spec"].get("ports") or []
        if address in (None, "", "None") or not ports:
            continue
        env |= _service_variables(name_of(service), address, ports)
    return env


def _variable_name(text: str) -> str:
    return text.upper().replace("-", "_")


def _service_variables(name: str, address: str, ports: list[Obj]) -> dict[str, str]:
    prefix = _variable_name(name)
    env = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(ports[0]["port"])}
    host = f"[{address}]" if ":" in address else address
    for number, port in enumerate(ports):
        protocol = str(port.get("protocol") or "TCP")
        if port.get("name"):
            env[f"{prefix}_SERVICE_PORT_{_variable_name(port['name'])}"] = str(port["port"])
        url = f"{protocol.lower()}://{host}:{port['port']}"
        if number == 0:
            env[f"{prefix}_PORT"] = url
        one = f"{prefix}_PORT_{port['port']}_{protocol}"
        env |= {one: url, f"{one}_PROTO": protocol.lower(), f"{one}_PORT": str(port["port"]), f"{one}_ADDR": address}
    return env


def container_environment(pod: Obj, container: Obj, inherited: Mapping[str, str], sources: Sources) -> dict[str, str]:
    """All variables of a container; `inherited` are the image's and the services'. Raises ConfigError."""
    namespace = namespace_of(pod)
    env = dict(inherited)
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix") or ""
        for name, value in _whole_source(source, namespace, sources).items():
            env[prefix + name] = value
    for variable in container.get("env") or ():
        if "valueFrom" in variable:
            found = _value_from(variable["valueFrom"], pod, container, sources)
            if found is not None:
                env[variable["name"]] = found
        else:
            env[variable["name"]] = expand(str(variable.get("value") or ""), env)
    return env


def _whole_source(source: Obj, namespace: str, sources: Sources) -> Mapping[str, str]:
    if reference := source.get("configMapRef"):
        found = sources.config_map(namespace, reference["name"])
        if found is None and not reference.get("optional"):
            raise ConfigError(f'configmap "{reference["name"]}" not found')
        return (found or {}).get("data") or {}
    if reference := source.get("secretRef"):
        found = sources.secret(namespace, reference["name"])
        if found is None and not reference.get("optional"):
            raise ConfigError(f'secret "{reference["name"]}" not found')
        return {name: value.decode(errors="replace") for name, value in secret_data(found or {}).items()}
    return {}


def secret_data(secret: Obj) -> dict[str, bytes]:
    """A Secret's data, decoded."""
    return {name: base64.b64decode(value or "") for name, value in (secret.get("data") or {}).items()}


def _value_from(source: Obj, pod: Obj, container: Obj, sources: Sources) -> str | None:
    """None: the reference is optional and leads nowhere."""
    namespace = namespace_of(pod)
    try:
        if reference := source.get("fieldRef"):
            return field_value(pod, reference["fieldPath"])
        if reference := source.get("resourceFieldRef"):
            return resource_value(pod, reference, sources.allocatable, container)
    except DownwardError as error:
        raise ConfigError(str(error)) from None
    if reference := source.get("configMapKeyRef"):
        found = sources.config_map(namespace, reference["name"])
        value = ((found or {}).get("data") or {}).get(reference["key"])
        what, kind = "configmap", "ConfigMap"
    elif reference := source.get("secretKeyRef"):
        found = sources.secret(namespace, reference["name"])
        raw = secret_data(found or {}).get(reference["key"])
        value = None if raw is None else raw.decode(errors="replace")
        what, kind = "secret", "Secret"
    else:
        return ""
    if value is None and not reference.get("optional"):
        if found is None:
            raise ConfigError(f'{what} "{reference["name"]}" not found')
        raise ConfigError(f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}")
    return value

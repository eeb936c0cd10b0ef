"""The functions that Istio adds to the templates of injection."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import yaml

from lateen.api.schema.encode import encode
from lateen.injection.go_template.budget import bounded_length
from lateen.injection.go_template.errors import TemplateError
from lateen.injection.go_template.evaluator import Functions
from lateen.injection.go_template.go_functions import GO_FUNCTIONS
from lateen.injection.go_template.go_values import ZERO, GoMessage, field_of, shown, unwrapped
from lateen.injection.go_template.sprig_functions import SPRIG_FUNCTIONS


def _annotation(meta: Any, name: str, otherwise: Any) -> str:
    annotations = field_of(meta, "Annotations")
    found = annotations.get(name) if isinstance(annotations, Mapping) else None
    return shown(otherwise) if found is None else str(found)


def _is_set(found: Any, key: str) -> bool:
    return isinstance(found, Mapping) and key in found


def _value_or_default(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None or value is ZERO or value == "" else value


def _exclude_inbound_port(port: Any, excluded: Any) -> str:
    wanted, listed = shown(port).strip(), shown(excluded)
    if wanted in ("", "0") or wanted in listed.split(","):
        return listed
    return ",".join([*filter(None, (word.strip() for word in listed.split(","))), wanted])


def _container_ports(containers: Any) -> str:
    found = []
    for container in unwrapped(containers) or ():
        for port in container.get("ports") or ():
            if port.get("protocol", "TCP") not in ("UDP", "SCTP"):
                found.append(str(port.get("containerPort", 0)))
    return ",".join(found)


def _application_ports(containers: Any) -> str:
    return _container_ports([each for each in unwrapped(containers) or () if each.get("name") != "istio-proxy"])


def _to_json(value: Any) -> str:
    plain = unwrapped(value)
    return json.dumps({} if plain is None else plain, separators=(",", ":"), sort_keys=True)


def _proto_to_json(value: Any) -> str:
    """What differs from the defaults."""
    if isinstance(value, GoMessage):
        return json.dumps(encode(value.message), separators=(",", ":"))
    return _to_json(value)


def _from_json(text: Any) -> Any:
    try:
        return json.loads(shown(text))
    except (ValueError, RecursionError):
        raise TemplateError("the text is not JSON") from None


def _to_yaml(value: Any) -> str:
    return str(yaml.safe_dump(unwrapped(value), default_flow_style=False, sort_keys=True))


def _indent(spaces: int, text: Any) -> str:
    """All lines but the first."""
    source = shown(text)
    bounded_length(spaces * (source.count("\n") + 1))
    return source.replace("\n", "\n" + " " * spaces)


def _directory(path: Any) -> str:
    head, slash, _ = shown(path).rpartition("/")
    return head + slash


def _append_network(existing: Any, network: str) -> str:
    """The annotation of Multus, a list of words or of JSON objects, with one network more."""
    text = shown(existing)
    if not text:
        return network
    namespace, _, name = network.rpartition("/")
    if "]" in text:
        listed = _from_json(text)
        if any(each.get("name") == name for each in listed):
            return text
        own = {"name": name, **({"namespace": namespace} if namespace else {})}
        return json.dumps([*listed, own])
    words = [word.strip() for word in text.split(",")]
    return text if network in words else f"{text}, {network}"


def _omit_nil(value: Any) -> Any:
    plain = unwrapped(value)
    return {key: each for key, each in plain.items() if each is not None} if isinstance(plain, dict) else plain


def _string_map(*pairs: Any) -> dict[str, str]:
    if len(pairs) % 2:
        raise TemplateError("pairs are expected")
    return {shown(key): shown(value) for key, value in zip(pairs[::2], pairs[1::2], strict=True)}


def _json_of_maps(*maps: Any) -> str:
    return json.dumps(_merged_maps(*maps), separators=(",", ":"), sort_keys=True)


def _merged_maps(*maps: Any) -> dict[str, Any]:
    return {key: value for each in maps for key, value in (unwrapped(each) or {}).items()}


_OWN: Final[Mapping[str, Callable[..., Any]]] = {
    "annotation": _annotation,
    "isset": _is_set,
    "valueOrDefault": _value_or_default,
    "excludeInboundPort": _exclude_inbound_port,
    "includeInboundPorts": _container_ports,
    "applicationPorts": _application_ports,
    "kubevirtInterfaces": shown,
    "toJSON": _to_json,
    "toJson": _to_json,
    "fromJSON": _from_json,
    "structToJSON": _to_json,
    "protoToJSON": _proto_to_json,
    "toYaml": _to_yaml,
    "indent": _indent,
    "directory": _directory,
    "formatDuration": shown,
    "appendMultusNetwork": _append_network,
    "omitNil": _omit_nil,
    "strdict": _string_map,
    "toJsonMap": _json_of_maps,
    "mergeMaps": _merged_maps,
}
FUNCTION_NAMES: Final = frozenset({*GO_FUNCTIONS, *SPRIG_FUNCTIONS, *_OWN, "and", "or", "env"})
"""All that a template may call."""


def template_functions(environment: Mapping[str, str]) -> Functions:
    """All functions. `env NAME DEFAULT` looks into `environment`: the control plane's settings (`pilot.env`)."""

    def env(name: str, otherwise: Any) -> Any:
        return environment.get(name) or otherwise

    return {**GO_FUNCTIONS, **SPRIG_FUNCTIONS, **_OWN, "env": env}

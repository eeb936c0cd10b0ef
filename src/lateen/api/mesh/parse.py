"""Reads MeshConfig and MeshNetworks from the YAML text that ConfigMaps hold (keys `mesh` and `meshNetworks`).

What users write overrides the defaults field by field; `defaultConfig` is merged into the default ProxyConfig,
extension providers are added to the built-in ones, and trust domain aliases are a set (Istio: pkg/config/mesh). Unknown
fields are warned about rather than rejected, as in Istio: one configuration serves control planes of several versions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec

from lateen.api.mesh.mesh_config import BUILT_IN_PROVIDERS, MeshConfig
from lateen.api.mesh.mesh_config_validation import validate_mesh_config
from lateen.api.mesh.mesh_networks import MeshNetworks
from lateen.api.mesh.mesh_networks_validation import validate_mesh_networks
from lateen.api.schema.bounded_yaml import load_object
from lateen.api.schema.decode import Decoder
from lateen.api.schema.fault import Fault, Severity, warning
from lateen.api.schema.shape import Entries, Items, MessageShape, Shape

M = TypeVar("M", bound=msgspec.Struct)

_MESH_CONFIG: Final = Decoder(MeshConfig)
_MESH_NETWORKS: Final = Decoder(MeshNetworks)


def parse_mesh_config(text: str) -> tuple[MeshConfig | None, tuple[Fault, ...]]:
    """A MeshConfig over the defaults, and its faults; None iff some fault is an ERROR. Empty text is the default."""
    return _parse(text, _MESH_CONFIG, _completed, validate_mesh_config)


def parse_mesh_networks(text: str) -> tuple[MeshNetworks | None, tuple[Fault, ...]]:
    """MeshNetworks and their faults; None iff some fault is an ERROR. Empty text means no networks."""
    return _parse(text, _MESH_NETWORKS, lambda networks: networks, validate_mesh_networks)


def _parse(
    text: str, decoder: Decoder[M], complete: Callable[[M], M], validate: Callable[[M], Iterable[Fault]]
) -> tuple[M | None, tuple[Fault, ...]]:
    value = load_object(text)
    if isinstance(value, Fault):
        return None, (value,)
    known, unknown = without_unknown_fields(value, decoder.shape)
    message, wrong = decoder.decode(known)
    if message is None:
        return None, (*unknown, *wrong)
    message = complete(message)
    found = (*unknown, *validate(message))
    return (None if any(each.severity is Severity.ERROR for each in found) else message), found


def _completed(config: MeshConfig) -> MeshConfig:
    own = {provider.name for provider in config.extension_providers}
    return msgspec.structs.replace(
        config,
        extension_providers=(
            *(provider for provider in BUILT_IN_PROVIDERS if provider.name not in own),
            *config.extension_providers,
        ),
        trust_domain_aliases=tuple(sorted(set(config.trust_domain_aliases))),
    )


# --- unknown fields -----------------------------------------------------------------------------------------------


def without_unknown_fields(value: Mapping[str, Any], shape: MessageShape) -> tuple[Any, tuple[Fault, ...]]:
    """The part of a value that this version knows, and a warning for each field that it does not."""
    unknown: list[str] = []
    known = _known(value, shape, "", unknown)
    return known, tuple(warning(path, "not a field that this version knows: it has no effect") for path in unknown)


def _known(value: Any, shape: Shape, path: str, unknown: list[str]) -> Any:
    match shape:
        case MessageShape() if isinstance(value, Mapping):
            return dict(_fields(value, shape, path, unknown))
        case Items() if isinstance(value, list):
            return [_known(item, shape.item, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
        case Entries() if isinstance(value, Mapping):
            return {key: _known(item, shape.value, f"{path}[{key}]", unknown) for key, item in value.items()}
    return value


def _fields(value: Mapping[Any, Any], shape: MessageShape, path: str, unknown: list[str]) -> Iterator[tuple[Any, Any]]:
    names = {name: field for field in shape.fields for name in (field.proto_name, field.other_name, field.name) if name}
    for key, item in value.items():
        where = f"{path}.{key}" if path else str(key)
        field = names.get(key)
        if field is None:
            unknown.append(where)
        else:
            yield key, _known(item, field.shape, where, unknown)

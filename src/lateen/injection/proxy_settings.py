"""The ProxyConfig in force for a pod: the mesh's default, overridden by ProxyConfig resources and by the pod's own
annotation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from lateen.api.mesh.not_honoured import not_honoured_of_proxy
from lateen.api.mesh.parse import without_unknown_fields
from lateen.api.mesh.proxy_config import AuthenticationPolicy, ProxyConfig
from lateen.api.mesh.proxy_config_validation import validate_proxy_config
from lateen.api.networking.proxy_config import ProxyConfig as ProxyConfigSpec
from lateen.api.objects import Object
from lateen.api.schema.bounded_yaml import load_object
from lateen.api.schema.decode import Decoder
from lateen.api.schema.fault import Fault
from lateen.injection.names import PROXY_CONFIG

_PATH: Final = f"metadata.annotations[{PROXY_CONFIG}]"
_DECODER: Final = Decoder(ProxyConfig)
_ONE_OF: Final = ("service_cluster", "tracing_service_name")


def with_resources(
    config: ProxyConfig,
    resources: Iterable[Object[ProxyConfigSpec]],
    root_namespace: str,
    namespace: str,
    labels: Mapping[str, str],
) -> ProxyConfig:
    """The mesh's default with what ProxyConfig resources say of a pod: of the root namespace, of its own namespace, and
    that select it, each over the one before. Of several of a sort the oldest counts."""
    listed = sorted(resources, key=lambda each: each.age)
    own = [each for each in listed if each.key.namespace == namespace]
    for found in (
        [each for each in listed if each.key.namespace == root_namespace and each.spec.selector is None],
        [each for each in own if each.spec.selector is None],
        [each for each in own if _selects(each.spec, labels)],
    ):
        if found:
            config = _over(config, found[0].spec)
    return config


def with_annotations(
    config: ProxyConfig, annotations: Mapping[str, str]
) -> tuple[ProxyConfig | None, tuple[Fault, ...]]:
    """With `proxy.istio.io/config` and the annotations that say single things of it; None iff there are errors.

    A field that the annotation has replaces the whole field; proxyMetadata is merged.
    """
    faults: tuple[Fault, ...] = ()
    text = annotations.get(PROXY_CONFIG)
    if text:
        raw = load_object(text)
        if isinstance(raw, Fault):
            return None, (msgspec.structs.replace(raw, path=_PATH),)
        known, unknown = without_unknown_fields(raw, _DECODER.shape)
        own, wrong = _DECODER.decode(known)
        faults = tuple(_placed(fault) for fault in (*unknown, *wrong))
        if own is None:
            return None, faults
        faults += tuple(not_honoured_of_proxy(own, _PATH))
        config = _replaced(config, own, known)
        invalid = tuple(validate_proxy_config(config, _PATH))
        if invalid:
            return None, (*faults, *invalid)
    return _single(config, annotations), faults


def _placed(fault: Fault) -> Fault:
    return msgspec.structs.replace(fault, path=f"{_PATH}.{fault.path}".rstrip("."))


def _selects(spec: ProxyConfigSpec, labels: Mapping[str, str]) -> bool:
    if spec.selector is None:
        return False
    return all(labels.get(key) == value for key, value in spec.selector.match_labels.items())


def _over(config: ProxyConfig, spec: ProxyConfigSpec) -> ProxyConfig:
    changes: dict[str, Any] = {}
    if spec.concurrency is not None:
        changes["concurrency"] = spec.concurrency
    if spec.image is not None:
        changes["image"] = spec.image
    if spec.environment_variables:
        changes["proxy_metadata"] = {**config.proxy_metadata, **spec.environment_variables}
    return msgspec.structs.replace(config, **changes)


def _replaced(config: ProxyConfig, own: ProxyConfig, raw: Mapping[str, Any]) -> ProxyConfig:
    """With the fields that the text has."""
    changes = {
        field.attribute: getattr(own, field.attribute)
        for field in _DECODER.shape.fields
        if field.name in raw or field.proto_name in raw or (field.other_name and field.other_name in raw)
    }
    if any(name in changes for name in _ONE_OF):
        changes = dict.fromkeys(_ONE_OF) | changes
    if "proxy_metadata" in changes:
        changes["proxy_metadata"] = {**config.proxy_metadata, **changes["proxy_metadata"]}
    return msgspec.structs.replace(config, **changes)


def _single(config: ProxyConfig, annotations: Mapping[str, str]) -> ProxyConfig:
    """Of annotations that are without errors."""
    changes: dict[str, Any] = {}
    if address := annotations.get("sidecar.istio.io/discoveryAddress"):
        changes["discovery_address"] = address
    if policy := annotations.get("sidecar.istio.io/controlPlaneAuthPolicy"):
        changes["control_plane_auth_policy"] = AuthenticationPolicy(policy)
    port = int(annotations.get("status.sidecar.istio.io/port", 0))
    if port:
        changes["status_port"] = port
    return msgspec.structs.replace(config, **changes)

"""The `istio` metadata of clusters: what telemetry, patches and tools learn from a cluster about the mesh behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lateen.api.objects import ObjectRef
from lateen.translate.wire import double, embedded, text, varint

NAMESPACE = "istio"

_KINDS = {
    "DestinationRule": ("networking.istio.io/v1", "destination-rule"),
    "VirtualService": ("networking.istio.io/v1", "virtual-service"),
    "Gateway": ("networking.istio.io/v1", "gateway"),
    "ServiceEntry": ("networking.istio.io/v1", "service-entry"),
    "Sidecar": ("networking.istio.io/v1", "sidecar"),
}


class ServiceName(NamedTuple):
    """A service as telemetry names it."""

    host: str
    name: str
    namespace: str


def config_path(source: ObjectRef) -> str:
    """What a resource is called in metadata: `/apis/GROUP/VERSION/namespaces/NAMESPACE/KIND/NAME`."""
    group_version, kind = _KINDS[source.kind]
    return f"/apis/{group_version}/namespaces/{source.key.namespace}/{kind}/{source.key.name}"


def cluster_metadata(
    services: Iterable[ServiceName],
    *,
    config: ObjectRef | None = None,
    subset: str = "",
    port: int = 0,
    external: bool = False,
) -> bytes:
    """The body of a cluster's `envoy.config.core.v3.Metadata`, fields sorted.

    `config` is the DestinationRule followed, `port` the service's (`default_original_port`).
    """
    fields = b""
    if config is not None:
        fields += _field("config", _text(config_path(config)))
    if port:
        fields += _field("default_original_port", double(2, port))
    if external:
        fields += _field("external", _TRUE)
    fields += _field("services", _list(_service(service) for service in services))
    if subset:
        fields += _field("subset", _text(subset))
    return embedded(1, text(1, NAMESPACE) + embedded(2, fields))


# google.protobuf.Value: number 2, string 3, bool 4, struct 5, list 6. Struct and ListValue: their one field is 1.

_TRUE = varint(4 << 3) + varint(1)


def _field(key: str, value: bytes) -> bytes:
    return embedded(1, text(1, key) + embedded(2, value))


def _text(value: str) -> bytes:
    return embedded(3, value.encode())


def _list(values: Iterable[bytes]) -> bytes:
    return embedded(6, b"".join(embedded(1, value) for value in values))


def _service(service: ServiceName) -> bytes:
    fields = _field("host", _text(service.host))
    fields += _field("name", _text(service.name))
    fields += _field("namespace", _text(service.namespace))
    return embedded(5, fields)

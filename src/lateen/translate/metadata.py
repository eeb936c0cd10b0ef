"""The `istio` metadata of clusters: what telemetry, patches and tools learn from a cluster about the mesh behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lateen.api.objects import ObjectRef
from lateen.translate.wire import double, embedded, sized, tag, text, varint

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


def origin_metadata(source: ObjectRef) -> bytes:
    """The body of an `envoy.config.core.v3.Metadata` that only names the resource something was made from."""
    return _ONE + sized(_ISTIO + sized(_text_field(_CONFIG, config_path(source))))


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
    return subset_metadata(cluster_fields(services, config=config, port=port, external=external), subset)


def cluster_fields(services: Iterable[ServiceName], *, config: ObjectRef | None, port: int, external: bool) -> bytes:
    """What of `cluster_metadata` the clusters of all subsets have in common."""
    fields = b""
    if config is not None:
        fields += _text_field(_CONFIG, config_path(config))
    if port:
        fields += _field(_PORT, double(2, port))
    if external:
        fields += _field(_EXTERNAL, _TRUE)
    named = [_service(service) for service in services]
    if named:
        # Once more on its own: the commands by which telemetry reads metadata do not look into lists.
        fields += _field(_SERVICE, named[0])
    return fields + _field(_SERVICES, embedded(6, b"".join([embedded(1, service) for service in named])))


def destination_metadata(name: str) -> bytes:
    """The body of a `core.v3.Metadata` that has telemetry call a destination so, which is no service."""
    return _ONE + sized(_ISTIO + sized(_field(_SERVICE, embedded(5, _text_field(_NAME, name)))))


def subset_metadata(fields: bytes, subset: str) -> bytes:
    """The metadata of one subset's cluster, from what they have in common."""
    if subset:
        fields += _text_field(_SUBSET, subset)
    return _ONE + sized(_ISTIO + sized(fields))


# google.protobuf.Value: number 2, string 3, bool 4, struct 5, list 6. Struct and ListValue: their one field is 1.

_TRUE = varint(4 << 3) + varint(1)
_ONE, _TEXT = tag(1), tag(3)
# Keys with what follows them: the tag of their value.
_ISTIO = text(1, NAMESPACE) + tag(2)
_CONFIG, _PORT, _EXTERNAL, _SERVICE, _SERVICES, _SUBSET = (
    text(1, key) + tag(2) for key in ("config", "default_original_port", "external", "service", "services", "subset")
)
_HOST, _NAME, _NAMESPACE = (text(1, key) + tag(2) for key in ("host", "name", "namespace"))


def _field(key: bytes, value: bytes) -> bytes:
    """An entry of a Struct."""
    return _ONE + sized(key + sized(value))


def _text_field(key: bytes, value: str) -> bytes:
    """An entry of a Struct that is text."""
    return _ONE + sized(key + sized(_TEXT + sized(value.encode())))


def _service(service: ServiceName) -> bytes:
    host, name, namespace = service
    return embedded(5, _text_field(_HOST, host) + _text_field(_NAME, name) + _text_field(_NAMESPACE, namespace))

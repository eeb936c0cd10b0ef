"""Envoy's message types by name, and resources as data that people read."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any, Final

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2
from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory

from lateen.translate.newer_types import PACKAGES
from lateen.translate.resource import Resource, ResourceType

MESSAGES: Final[Mapping[ResourceType, Any]] = {
    ResourceType.CDS: cluster_pb2.Cluster,
    ResourceType.EDS: endpoint_pb2.ClusterLoadAssignment,
    ResourceType.LDS: listener_pb2.Listener,
    ResourceType.RDS: route_pb2.RouteConfiguration,
    ResourceType.SDS: secret_pb2.Secret,
    ResourceType.ECDS: extension_pb2.TypedExtensionConfig,
}
_ROOTS: Final = ("envoy.", "udpa.", "xds.", "google.")


def message_class(full_name: str) -> Any | None:
    """The class of a message by its full name (`envoy.config.cluster.v3.Cluster`); None when it is not installed.

    Loads the modules of its package when it is first asked for."""
    pool = descriptor_pool.Default()
    try:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(full_name))
    except KeyError:
        pass
    if not full_name.startswith(_ROOTS) or not all(part.isidentifier() for part in full_name.split(".")):
        return None
    _load(full_name.rpartition(".")[0])
    try:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(full_name))
    except KeyError:
        return None


def _load(package: str) -> None:
    """Imports the generated modules of a proto package, which lie in the folder of its name."""
    if package in PACKAGES:
        return
    try:
        folder = importlib.import_module(package)
    except ImportError:
        return
    for found in pkgutil.iter_modules(folder.__path__):
        if found.name.endswith("_pb2"):
            importlib.import_module(f"{package}.{found.name}")


def decoded(type_: ResourceType, resource: Resource) -> Any:
    """The message of a resource."""
    return MESSAGES[type_].FromString(resource.body)


def readable(message: Any) -> dict[str, Any]:
    """A message as JSON data with field names as in the protos, as Envoy's own admin interface shows them.

    Types of extensions are loaded as needed. Costs some 76 ms a megabyte: for people, not for pushing.
    """
    for found in _extensions(message):
        message_class(found)
    # By way of text: MessageToDict leaves OrderedDicts among the dicts.
    data: dict[str, Any] = json.loads(json_format.MessageToJson(message, preserving_proto_field_name=True))
    return data


def _extensions(message: Any) -> Iterator[str]:
    """The full names of the messages inside of `Any`s, however deep."""
    if isinstance(message, any_pb2.Any):
        name = message.TypeName()
        yield name
        found = message_class(name)
        if found is not None:
            yield from _extensions(found.FromString(message.value))
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key in value:
                    yield from _extensions(value[key])
        elif field.is_repeated:
            for item in value:
                yield from _extensions(item)
        else:
            yield from _extensions(value)

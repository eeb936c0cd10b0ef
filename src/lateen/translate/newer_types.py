"""Message types of Envoy 1.40 that the installed protobuf classes lack, or lack fields of.

They are added to the process's pool of types in place of the installed ones, which must not be imported: then messages
with these fields are built, read and printed like all others. Field numbers are those of Envoy's own descriptors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.data.dns.v3 import dns_table_pb2
from envoy.extensions.filters.common.set_filter_state.v3 import value_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, message_factory, wrappers_pb2
from xds.type.matcher.v3 import matcher_pb2

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    "string": _Field.TYPE_STRING,
    "bool": _Field.TYPE_BOOL,
    "uint64": _Field.TYPE_UINT64,
}


class _Message(NamedTuple):
    name: str
    fields: Mapping[str, tuple[int, str]]
    """Number and type: a scalar, `*` before it for a list, `.` before the full name of a message."""
    nested: tuple[_Message, ...] = ()
    enums: Mapping[str, tuple[str, ...]] = {}
    """Names of values, from 0."""


def _add(folder: str, file: str, messages: Sequence[_Message], *needed: Any) -> None:
    """Adds a file of `envoy/FOLDER` to the pool."""
    path = f"envoy/{folder}"
    described = descriptor_pb2.FileDescriptorProto(
        name=f"{path}/{file}.proto", package=path.replace("/", "."), syntax="proto3"
    )
    described.dependency.extend(each if isinstance(each, str) else each.DESCRIPTOR.name for each in needed)
    described.message_type.extend(_described(message) for message in messages)
    descriptor_pool.Default().AddSerializedFile(described.SerializeToString())


def _described(message: _Message) -> Any:
    found = descriptor_pb2.DescriptorProto(name=message.name)
    for name, (number, type_) in message.fields.items():
        repeated = type_.startswith("*")
        plain = type_.removeprefix("*")
        field = found.field.add(name=name, number=number)
        field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
        if plain in _SCALARS:
            field.type = _SCALARS[plain]
        else:
            field.type = _Field.TYPE_ENUM if plain.removeprefix("#") != plain else _Field.TYPE_MESSAGE
            field.type_name = plain.removeprefix("#")
    found.nested_type.extend(_described(each) for each in message.nested)
    for name, values in message.enums.items():
        enum = found.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    return found


_UINT32: Final = ".google.protobuf.UInt32Value"
_STATS: Final = ".envoy.extensions.access_loggers.stats.v3.Config"
_STATE: Final = "*.envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue"
_DNS: Final = ".envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig"
_TRANSFORM: Final = ".envoy.extensions.matching.actions.transform_stat.v3.TransformStat"

_add(
    "type/v3",
    "scope",
    [
        _Message(
            "Scope",
            {
                "max_counters": (1, _UINT32),
                "max_gauges": (2, _UINT32),
                "max_histograms": (3, _UINT32),
                "enable_eviction": (4, "bool"),
                "prefix": (5, "string"),
                "sharing_name": (6, "string"),
            },
        )
    ],
    wrappers_pb2,
)
_add("extensions/matching/common_inputs/stats/v3", "stats", [_Message("StatTagValueInput", {})])
_add(
    "extensions/matching/actions/transform_stat/v3",
    "transform_stat",
    [
        _Message(
            "TransformStat",
            {
                "drop_stat": (1, f"{_TRANSFORM}.DropStat"),
                "drop_tag": (2, f"{_TRANSFORM}.DropTag"),
                "update_tag": (3, f"{_TRANSFORM}.UpdateTag"),
            },
            (
                _Message("DropStat", {}),
                _Message("DropTag", {}),
                _Message("UpdateTag", {"new_tag_value": (2, "string")}),
            ),
        )
    ],
)
_add(
    "extensions/access_loggers/stats/v3",
    "stats",
    [
        _Message(
            "Config",
            {
                "stat_prefix": (1, "string"),
                "histograms": (3, f"*{_STATS}.Histogram"),
                "counters": (4, f"*{_STATS}.Counter"),
                "stats_scope": (6, ".envoy.type.v3.Scope"),
            },
            (
                _Message(
                    "Tag",
                    {
                        "name": (1, "string"),
                        "value_format": (2, "string"),
                        "rules": (3, ".xds.type.matcher.v3.Matcher"),
                    },
                ),
                _Message("Stat", {"name": (1, "string"), "tags": (2, f"*{_STATS}.Tag")}),
                _Message(
                    "Histogram",
                    {
                        "stat": (1, f"{_STATS}.Stat"),
                        "unit": (2, f"#{_STATS}.Histogram.Unit"),
                        "value_format": (3, "string"),
                    },
                    enums={"Unit": ("Unspecified", "Bytes", "Microseconds", "Milliseconds", "Percent")},
                ),
                _Message(
                    "Counter",
                    {
                        "stat": (1, f"{_STATS}.Stat"),
                        "value_format": (2, "string"),
                        "value_fixed": (3, ".google.protobuf.UInt64Value"),
                    },
                ),
            ),
        )
    ],
    "envoy/type/v3/scope.proto",
    wrappers_pb2,
    matcher_pb2,
)
_add(
    "extensions/filters/network/set_filter_state/v3",
    "set_filter_state",
    [
        _Message(
            "Config",
            {
                "on_new_connection": (1, _STATE),
                "on_downstream_tls_handshake": (2, _STATE),
                "on_downstream_data": (3, _STATE),
            },
        )
    ],
    value_pb2,
)
_add(
    "extensions/filters/udp/dns_filter/v3",
    "dns_filter",
    [
        _Message(
            "DnsFilterConfig",
            {
                "stat_prefix": (1, "string"),
                "server_config": (2, f"{_DNS}.ServerContextConfig"),
                "client_config": (3, f"{_DNS}.ClientContextConfig"),
                "access_log": (4, "*.envoy.config.accesslog.v3.AccessLog"),
                "case_insensitive": (5, "bool"),
            },
            (
                _Message("ServerContextConfig", {"inline_dns_table": (1, ".envoy.data.dns.v3.DnsTable")}),
                _Message(
                    "ClientContextConfig",
                    {
                        "resolver_timeout": (1, ".google.protobuf.Duration"),
                        "max_pending_lookups": (3, "uint64"),
                        "typed_dns_resolver_config": (4, ".envoy.config.core.v3.TypedExtensionConfig"),
                    },
                ),
            ),
        )
    ],
    accesslog_pb2,
    extension_pb2,
    dns_table_pb2,
    duration_pb2,
)


def _class(full_name: str) -> Any:
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(full_name))


StatsLoggerConfig: Final = _class(_STATS.removeprefix("."))
SetFilterState: Final = _class("envoy.extensions.filters.network.set_filter_state.v3.Config")
DnsFilterConfig: Final = _class(_DNS.removeprefix("."))
PACKAGES: Final = frozenset(
    each.DESCRIPTOR.file.package for each in (StatsLoggerConfig, SetFilterState, DnsFilterConfig)
)
"""Those of which the installed modules must not be imported."""

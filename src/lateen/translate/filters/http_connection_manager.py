"""The HTTP connection manager of each kind of listener."""

from __future__ import annotations

from enum import Enum
from typing import Any

from envoy.config.core.v3 import config_source_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.http.header_formatters.preserve_case.v3 import preserve_case_pb2

from lateen.api.mesh.proxy_config import ForwardClientCertDetails
from lateen.translate.filters.http_filters import add_http_filters
from lateen.translate.filters.http_settings import HttpSettings
from lateen.translate.filters.rbac import Filters

NAME = "envoy.filters.network.http_connection_manager"
_SERVER = "istio-envoy"
"""What inbound sides and gateways call themselves in the `server` header. Outbound sides leave it at Envoy's own
"envoy": people tell by it who answered."""
_Manager = hcm_pb2.HttpConnectionManager


class Place(Enum):
    """Where HTTP is handled."""

    OUTBOUND = "outbound"
    """Of the workload's own requests."""
    INBOUND = "inbound"
    """Of requests to the workload."""
    GATEWAY = "gateway"


def http_connection_manager(
    place: Place,
    stat_prefix: str,
    settings: HttpSettings,
    *,
    route_name: str = "",
    routes: Any = None,
    http2: bool = False,
    grpc_web: bool = False,
    absolute_url: bool = False,
    announce_http: bool = False,
    authorization: Filters = (),
) -> Any:
    """An `HttpConnectionManager`; its routes come by RDS over ADS (`route_name`) or are in it (`routes`).

    What decides on requests (`authorization`) comes before all that does something with them.
    """
    manager = _Manager(stat_prefix=stat_prefix)
    if route_name:
        _rds(manager.rds, route_name)
    else:
        manager.route_config.CopyFrom(routes)
    manager.normalize_path.value = settings.normalize_path
    manager.merge_slashes = settings.merge_slashes
    if settings.unescape_slashes:
        manager.path_with_escaped_slashes_action = _Manager.UNESCAPE_AND_FORWARD
    else:
        manager.path_with_escaped_slashes_action = _Manager.KEEP_UNCHANGED
    # Sidecars pass on what applications say of requests: where they come from (x-forwarded-*), and x-request-id.
    manager.use_remote_address.value = place is Place.GATEWAY
    manager.upgrade_configs.add(upgrade_type="websocket")
    manager.stream_idle_timeout.seconds = 0
    manager.proxy_100_continue = True
    _server_header(manager, place, settings)
    manager.append_x_forwarded_port = settings.append_forwarded_port
    if not settings.generate_request_id:
        manager.generate_request_id.value = False
    if settings.preserve_header_case:
        formatter = manager.http_protocol_options.header_key_format.stateful_formatter
        formatter.name = "preserve_case"
        formatter.typed_config.Pack(preserve_case_pb2.PreserveCaseFormatterConfig())
    if absolute_url:
        manager.http_protocol_options.allow_absolute_url.value = True
    if http2:
        manager.http2_protocol_options.SetInParent()
    if place is Place.GATEWAY:
        manager.xff_num_trusted_hops = settings.trusted_proxies
    _client_certificate(manager, place, settings)
    add_http_filters(
        manager,
        outbound=place is not Place.INBOUND,
        grpc_web=grpc_web,
        suppress_envoy_headers=settings.suppress_envoy_headers,
        announce_http=announce_http,
        authorization=authorization,
    )
    return manager


def _rds(rds: Any, route_name: str) -> None:
    rds.route_config_name = route_name
    rds.config_source.ads.SetInParent()
    rds.config_source.initial_fetch_timeout.seconds = 0
    rds.config_source.resource_api_version = config_source_pb2.ApiVersion.V3


def _server_header(manager: Any, place: Place, settings: HttpSettings) -> None:
    if settings.keep_server_header:
        manager.server_header_transformation = _Manager.PASS_THROUGH
        return
    default = "" if place is Place.OUTBOUND else _SERVER
    if name := settings.server_name or default:
        manager.server_name = name


def _client_certificate(manager: Any, place: Place, settings: HttpSettings) -> None:
    """The header `x-forwarded-client-cert`: gateways replace what comes from outside, sidecars add to it."""
    if place is Place.OUTBOUND:
        return
    if place is Place.GATEWAY:
        chosen, fallback = settings.gateway_client_cert, ForwardClientCertDetails.SANITIZE_SET
    else:
        chosen, fallback = settings.forwarded_client_cert, ForwardClientCertDetails.APPEND_FORWARD
    details = fallback if chosen is ForwardClientCertDetails.UNDEFINED else chosen
    manager.forward_client_cert_details = _Manager.ForwardClientCertDetails.Value(details.value)
    if details not in (ForwardClientCertDetails.SANITIZE_SET, ForwardClientCertDetails.APPEND_FORWARD):
        return
    told, wanted = manager.set_current_client_cert_details, settings.client_cert_details
    told.subject.value = wanted.subject is not False
    told.uri = wanted.uri is not False
    told.dns = wanted.dns is not False
    told.cert = place is Place.GATEWAY if wanted.cert is None else wanted.cert
    told.chain = bool(wanted.chain)

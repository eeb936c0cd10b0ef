"""What MeshConfig, or a proxy's own ProxyConfig, says about every HTTP connection manager."""

from __future__ import annotations

import msgspec

from lateen.api.mesh.mesh_config import NormalizationType
from lateen.api.mesh.proxy_config import ForwardClientCertDetails, ProxyHeaders, SetCurrentClientCertDetails
from lateen.engine import Reader, query
from lateen.model.inputs import MESH_CONFIG
from lateen.model.proxy import ProxySettings

_MERGING = frozenset({NormalizationType.MERGE_SLASHES, NormalizationType.DECODE_AND_MERGE_SLASHES})


class HttpSettings(msgspec.Struct, frozen=True):
    """Settings of HTTP that are the same in every listener of a proxy, mostly of the mesh."""

    normalize_path: bool = True
    merge_slashes: bool = False
    unescape_slashes: bool = False
    server_name: str = ""
    """The `server` header of responses; empty for what each kind of listener says by default."""
    keep_server_header: bool = False
    """The application's own `server` header stays."""
    generate_request_id: bool = True
    suppress_envoy_headers: bool = False
    preserve_header_case: bool = False
    append_forwarded_port: bool = False
    forwarded_client_cert: ForwardClientCertDetails = ForwardClientCertDetails.UNDEFINED
    """Of sidecars; UNDEFINED leaves what each kind of listener does by default."""
    client_cert_details: SetCurrentClientCertDetails = SetCurrentClientCertDetails()
    trusted_proxies: int = 0
    """Proxies in front of a gateway."""
    gateway_client_cert: ForwardClientCertDetails = ForwardClientCertDetails.UNDEFINED
    proxy_protocol: bool = False
    """Gateways expect the PROXY protocol."""


@query
def http_settings(db: Reader, own: ProxySettings) -> HttpSettings:
    """MeshConfig.pathNormalization, and proxyHeaders and gatewayTopology of the proxy or else of the mesh."""
    mesh = MESH_CONFIG.get(db)
    kind = mesh.path_normalization.normalization
    headers = own.headers or mesh.default_config.proxy_headers or ProxyHeaders()
    topology = own.topology or mesh.default_config.gateway_topology
    request_id, server, debug = headers.request_id, headers.server, headers.envoy_debug_headers
    forwarded_port = headers.x_forwarded_port
    return HttpSettings(
        normalize_path=kind is not NormalizationType.NONE,
        merge_slashes=kind in _MERGING,
        unescape_slashes=kind is NormalizationType.DECODE_AND_MERGE_SLASHES,
        server_name=server.value if server and not server.disabled else "",
        keep_server_header=bool(server and server.disabled),
        generate_request_id=not (request_id and request_id.disabled),
        suppress_envoy_headers=bool(debug and debug.disabled),
        preserve_header_case=bool(headers.preserve_http1_header_case),
        append_forwarded_port=bool(forwarded_port and forwarded_port.enabled),
        forwarded_client_cert=headers.forwarded_client_cert,
        client_cert_details=headers.set_current_client_cert_details or SetCurrentClientCertDetails(),
        trusted_proxies=topology.num_trusted_proxies if topology else 0,
        gateway_client_cert=topology.forward_client_cert_details if topology else ForwardClientCertDetails.UNDEFINED,
        proxy_protocol=topology is not None and topology.proxy_protocol is not None,
    )

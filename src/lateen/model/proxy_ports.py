"""The ports that proxies listen on for themselves."""

from __future__ import annotations

from typing import NamedTuple

from lateen.engine import Reader, query
from lateen.model.inputs import MESH_CONFIG

_STATUS_PORT = 15021
_PROMETHEUS_PORT = 15090


class ProxyPorts(NamedTuple):
    outbound: int
    """Where the workload's own traffic is redirected to."""
    inbound: int
    """Where traffic to the workload is redirected to."""
    http_proxy: int
    """A generic HTTP proxy at loopback; 0 for none."""

    @property
    def reserved(self) -> frozenset[int]:
        """Ports at every address that no service can have."""
        return frozenset({self.outbound, self.inbound, _STATUS_PORT, _PROMETHEUS_PORT})


@query
def proxy_ports(db: Reader) -> ProxyPorts:
    """MeshConfig.proxyListenPort, proxyInboundListenPort and proxyHttpPort."""
    mesh = MESH_CONFIG.get(db)
    return ProxyPorts(mesh.proxy_listen_port, mesh.proxy_inbound_listen_port, mesh.proxy_http_port)

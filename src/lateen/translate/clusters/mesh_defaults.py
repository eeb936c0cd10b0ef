"""What MeshConfig says of clusters, where no DestinationRule says otherwise."""

from __future__ import annotations

import msgspec

from lateen.api.mesh.mesh_config import H2UpgradePolicy
from lateen.api.networking.destination_rule import LocalityLoadBalancerSetting, TcpKeepalive
from lateen.api.schema.duration import Duration
from lateen.engine import Reader, query
from lateen.model.inputs import MESH_CONFIG

_CONNECT_TIMEOUT = Duration(10_000_000_000)
_DNS_REFRESH_RATE = Duration(60_000_000_000)


class MeshDefaults(msgspec.Struct, frozen=True):
    connect_timeout: Duration = _CONNECT_TIMEOUT
    tcp_keepalive: TcpKeepalive | None = None
    upgrades_to_http2: bool = False
    auto_mutual_tls: bool = True
    locality: LocalityLoadBalancerSetting | None = None
    """None when locality load balancing is off."""
    dns_refresh_rate: Duration = _DNS_REFRESH_RATE
    outbound_stat_name: str = ""
    inbound_stat_name: str = ""


@query
def mesh_defaults(db: Reader) -> MeshDefaults:
    """Stays the same when something else of MeshConfig changes."""
    mesh = MESH_CONFIG.get(db)
    locality = mesh.locality_lb_setting
    return MeshDefaults(
        mesh.connect_timeout or _CONNECT_TIMEOUT,
        mesh.tcp_keepalive,
        mesh.h2_upgrade_policy is H2UpgradePolicy.UPGRADE,
        mesh.enable_auto_mtls is not False,
        locality if locality is not None and locality.enabled is not False else None,
        mesh.dns_refresh_rate or _DNS_REFRESH_RATE,
        mesh.outbound_cluster_stat_name,
        mesh.inbound_cluster_stat_name,
    )

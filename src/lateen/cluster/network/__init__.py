"""The cluster's network on this machine: fabric and node namespaces, routes, peerings, egress."""

from lateen.cluster.network.conflicts import port_is_free, range_conflicts
from lateen.cluster.network.egress import disable_egress, enable_egress
from lateen.cluster.network.fabric import add_node, create_fabric, delete_fabric, fabric_exists, remove_node
from lateen.cluster.network.peering import peer, unpeer

__all__ = [
    "add_node",
    "create_fabric",
    "delete_fabric",
    "disable_egress",
    "enable_egress",
    "fabric_exists",
    "peer",
    "port_is_free",
    "range_conflicts",
    "remove_node",
    "unpeer",
]

"""Nodes (core/v1)."""

from __future__ import annotations

from lateen.api.objects import Metadata
from lateen.api.schema.message import Lenient


class NodeAddress(Lenient, frozen=True):
    type: str = ""
    """InternalIP, ExternalIP, Hostname, InternalDNS or ExternalDNS."""
    address: str = ""


class NodeStatus(Lenient, frozen=True):
    addresses: tuple[NodeAddress, ...] = ()


class Node(Lenient, frozen=True):
    """Its labels (`topology.kubernetes.io/region`, `topology.kubernetes.io/zone`, `topology.istio.io/subzone`) are the
    locality of the pods on it."""

    metadata: Metadata
    status: NodeStatus = NodeStatus()

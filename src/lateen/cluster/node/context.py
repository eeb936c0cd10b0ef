"""What all pods of a node share; made once at the node's start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lateen.cluster.client.api import Client
from lateen.cluster.client.events import EventRecorder
from lateen.cluster.images.catalog import Catalog
from lateen.cluster.layout import Layout
from lateen.cluster.node.cgroups import Cgroups
from lateen.cluster.node.container_spec import Machine
from lateen.cluster.node.environment import Sources
from lateen.cluster.node.references import References
from lateen.cluster.node.sandbox import PodNetworkSetup
from lateen.cluster.objects import GVR, Obj

PODS = GVR("", "v1", "pods")


@dataclass(frozen=True, slots=True)
class NodeContext:
    layout: Layout
    number: int
    client: Client
    events: EventRecorder
    catalog: Catalog
    cgroups: Cgroups
    machine: Machine
    network: PodNetworkSetup
    references: References
    sources: Sources
    services: Callable[[], Iterable[Obj]]
    """All Services, for environment variables."""

    @property
    def node_name(self) -> str:
        return self.layout.node(self.number).name

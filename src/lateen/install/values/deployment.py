"""What can be said of every Deployment that is installed."""

from __future__ import annotations

import msgspec

from lateen.api.schema.message import AnyStruct, Message
from lateen.install.values.kubernetes import Utilization


class Deployment(Message, frozen=True, kw_only=True):
    """Of a Deployment, its pods, its Service, its account and its autoscaler."""

    autoscale_enabled: bool = True
    """A HorizontalPodAutoscaler decides how many replicas there are."""
    autoscale_min: int = 1
    """Replicas, at least."""
    autoscale_max: int = 5
    """Replicas, at most."""
    autoscale_behavior: AnyStruct = msgspec.field(default_factory=dict)
    """`behavior` of the autoscaler."""
    cpu: Utilization = Utilization(target_average_utilization=80)
    """CPU that the autoscaler aims at."""
    memory: Utilization = Utilization()
    """Memory that the autoscaler aims at."""
    replica_count: int = 1
    """Replicas, without an autoscaler."""
    rolling_max_surge: int | str = "100%"
    """Additional pods while a new version is rolled out."""
    rolling_max_unavailable: int | str = "25%"
    """Missing pods while a new version is rolled out."""
    env: dict[str, str] = msgspec.field(default_factory=dict)
    """Environment of the container: a gateway's `ISTIO_META_ROUTER_MODE: sni-dnat`."""
    node_selector: dict[str, str] = msgspec.field(default_factory=dict)
    """Labels of nodes that it may run on."""
    affinity: AnyStruct = msgspec.field(default_factory=dict)
    """Of the pods."""
    tolerations: tuple[AnyStruct, ...] = ()
    """Of the pods."""
    topology_spread_constraints: tuple[AnyStruct, ...] = ()
    """Of the pods."""
    pod_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the pods."""
    service_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the Service."""
    service_account_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the ServiceAccount."""
    ip_family_policy: str = ""
    """Of the Service."""
    ip_families: tuple[str, ...] = ()
    """Of the Service."""

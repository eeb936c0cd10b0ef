"""`values.pilot`: the control plane."""

from __future__ import annotations

import msgspec

from lateen.api.schema.message import AnyStruct
from lateen.injection.values import PilotValues
from lateen.install.values.kubernetes import ResourceRequirements, Utilization


class Pilot(PilotValues, frozen=True, kw_only=True):
    """`values.pilot`: what injection reads of it (`cni`, `env`), and the control plane's own pods."""

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
    hub: str = ""
    """Where the image is, if not where all are."""
    tag: str = ""
    """Its tag, if not that of all."""
    variant: str = ""
    """Appended to its tag, if not that of all."""
    image: str = "pilot"
    """Name of the image, or a whole reference (with a `/`)."""
    resources: ResourceRequirements = ResourceRequirements(requests={"cpu": "500m", "memory": "2048Mi"})
    """Of the container."""
    seccomp_profile: AnyStruct = msgspec.field(default_factory=dict)
    """Of the container. Default: `type: RuntimeDefault`."""
    env_var_from: tuple[AnyStruct, ...] = ()
    """Environment of the container, as Kubernetes writes it: with `valueFrom`."""
    extra_container_args: tuple[str, ...] = ()
    """Further arguments of the container."""
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
    pod_labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the pods."""
    deployment_labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the Deployment."""
    service_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the Service."""
    service_account_annotations: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the ServiceAccount."""
    volumes: tuple[AnyStruct, ...] = ()
    """Further volumes of the pods."""
    volume_mounts: tuple[AnyStruct, ...] = ()
    """Further mounts of the container."""
    init_containers: tuple[AnyStruct, ...] = ()
    """Of the pods."""
    keepalive_max_server_connection_age: str = "30m"
    """How long a proxy stays connected to one replica."""
    config_map: bool = True
    """The ConfigMap with the mesh's configuration is installed."""
    ip_family_policy: str = ""
    """Of the Service."""
    ip_families: tuple[str, ...] = ()
    """Of the Service."""
